package session_test

import (
	"testing"
	"testing/synctest"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
)

// A client counts through a broken connection, a frozen server and an expired session.
func TestAClientCountsBeatsReconnectsAndLosses(t *testing.T) {
	simulate(t, 1, 3, func(t *testing.T, s *sim) {
		await.Sleep(simT)
		quiet := s.client.Status().Counts
		if quiet.Sessions != 1 || quiet.Lost != 0 || quiet.Reconnects != 0 || quiet.FailedBeats != 0 {
			t.Errorf("at rest: %+v", quiet)
		}
		if quiet.Beats < 8 || quiet.Beats > 10 { // 4 per D, and the first ones
			t.Errorf("%d beats in somewhat more than two leases", quiet.Beats)
		}

		s.host.Cut()
		settle(t, s.client)
		cut := s.client.Status().Counts
		if cut.Reconnects != 1 || cut.Sessions != 1 || cut.Lost != 0 {
			t.Errorf("after a broken connection: %+v", cut)
		}

		s.ConnOf(s.session.ID()).Hold()
		await.Sleep(simT / 2) // the beat that hangs moves the session
		settle(t, s.client)
		moved := s.client.Status().Counts
		if moved.Reconnects != 2 || moved.FailedBeats == cut.FailedBeats || moved.Lost != 0 {
			t.Errorf("after a silent server: %+v, before %+v", moved, cut)
		}

		s.ExpireSession(s.session.ID())
		<-s.session.Done()
		settle(t, s.client)
		over := s.client.Status().Counts
		if over.Lost != 1 || over.Sessions != 2 {
			t.Errorf("after an expired session: %+v", over)
		}
		s.client.Close()
		if closed := s.client.Status().Counts; closed.Lost != 1 {
			t.Errorf("a closed session counts as lost: %+v", closed)
		}
	})
}

// settle waits until the client has a session that is connected.
func settle(t *testing.T, c *session.Client) {
	t.Helper()
	synctest.Wait()
	for range 1000 {
		if c.Status().State == session.StateConnected {
			return
		}
		await.Sleep(simT / 64)
	}
	t.Fatalf("no session: %+v", c.Status())
}

// A subscriber that blocks delays nothing. The states that are dropped for it are counted, over all
// sessions together.
func TestStatesThatASubscriberDoesNotTakeAreCounted(t *testing.T) {
	simulate(t, 1, 3, func(t *testing.T, s *sim) {
		never := make(chan struct{})
		defer close(never)
		defer s.session.Subscribe(func(session.State) { <-never })()
		states := 0
		defer s.session.Subscribe(func(session.State) { states++ })()
		for range 60 { // suspended and connected, each time
			s.host.Cut()
			settle(t, s.client)
		}
		const taken = 101 // one is being told, and a hundred wait
		dropped := func() uint64 { return s.client.Status().StatesDropped }
		before := states
		if n := dropped(); states <= taken || n != uint64(states-taken) {
			t.Errorf("%d dropped, of %d states", n, states)
		}
		if !s.lease.Valid() {
			t.Error("the lease was lost")
		}
		s.ExpireSession(s.session.ID())
		<-s.session.Done()
		settle(t, s.client)
		if n := dropped(); states <= before || n != uint64(states-taken) {
			t.Errorf("in the next session: %d dropped, of %d states", n, states)
		}
	})
}
