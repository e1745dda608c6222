package line

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// enterLine joins /e in a session of its own.
func enterLine(t *testing.T, e *zktest.Ensemble, host string) *Place {
	t.Helper()
	return enterWith(t, e, host, session.Config{}, nil)
}

// enterWith is enterLine with credentials and an ACL.
func enterWith(t *testing.T, e *zktest.Ensemble, host string, cfg session.Config, acl []zk.ACL) *Place {
	t.Helper()
	cfg.Timeout = 10 * time.Second
	p, err := Join(t.Context(), openWith(t, e, host, cfg), Config{Dir: "/e", Style: Latch, Clock: clock.System, ACL: acl})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stepUntil steps until ok.
func stepUntil(t *testing.T, p *Place, ok func(Standing) bool) {
	t.Helper()
	for range 1000 {
		st, err := p.Step(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if ok(st) {
			return
		}
		select {
		case <-p.Woken():
		case <-time.After(min(st.Next, time.Second)):
		}
	}
	t.Fatal("it does not come to that")
}

// lineUp returns a leader and an heir that hears its heartbeat.
func lineUp(t *testing.T, e *zktest.Ensemble) (leader, heir *Place) {
	t.Helper()
	leader, heir = enterLine(t, e, "leader"), enterLine(t, e, "heir")
	stepUntil(t, leader, func(st Standing) bool { return st.Lease != nil })
	leader.Lead()
	stepUntil(t, heir, func(Standing) bool {
		return heir.listener != nil && heir.listener.Heartbeat().State == session.HeartbeatBeating
	})
	return leader, heir
}

// The heir has found the leader silent. Before it acts, a beat of the leader arrives after all.
func TestABeatThatIsHeardAfterTheDecisionToTakeOverPreventsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		leader, heir := lineUp(t, e)
		decided := heir.standing(0).nearest
		decided.State = session.HeartbeatSilent // as if it had been heard so
		for heir.listener.Heartbeat().Version == decided.Version {
			await.Sleep(time.Millisecond)
		}
		if err := heir.takeOver(t.Context(), decided); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := leader.s.Exists(t.Context(), leader.Path()); err != nil || !ok {
			t.Errorf("%v; taken over from a leader whose lease is valid: %v", err, leader.hold.Lease().Valid())
		}
	})
}

// When the numbers have run out, a line is put in order by asking about each znode. If a znode has
// gone between the list and that question, the answer tells so.
func TestOneThatGoesWhileTheLineIsReadCountsAsGoneFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		admin := enterLine(t, e, "admin")
		if err := admin.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.StartSequence("/e", math.MaxInt32)
		leader := enterLine(t, e, "leader")
		stepUntil(t, leader, func(st Standing) bool { return st.Lease != nil })
		leader.Lead()
		// The leader's znode is deleted when the joiner has its list, whose next question is lost.
		lost := e.On(zktest.Match{Op: zktest.OpExists, Path: leader.Path(), Host: "joiner", Nth: 1}, zktest.LoseRequest)
		go func() {
			<-lost.Fired()
			e.Host("joiner").Hold()
			time.Sleep(session.DefaultLease / 2)
			e.Host("leader").Hold(zktest.ToClient) // it does not hear of that
			if err := admin.s.Delete(context.Background(), leader.Path(), -1); err != nil {
				t.Error(err)
			}
			e.Host("joiner").Heal()
		}()
		joiner := enterLine(t, e, "joiner")
		stepUntil(t, joiner, func(st Standing) bool { return st.Lease != nil })
		if l := leader.hold.Lease(); l != nil {
			t.Errorf("it leads while the lease of the one before runs for %v more", l.Remaining())
		}
	})
}

// The heir has found the leader's heartbeat revoked. Before it acts, somebody takes that back.
func TestARevocationThatIsTakenBackIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		leader, heir := lineUp(t, e)
		decided := heir.standing(0).nearest
		decided.State = session.HeartbeatRevoked // as if it had been heard so
		await.Sleep(leader.s.LeaseTime())        // beats follow
		if err := heir.takeOver(t.Context(), decided); err != nil {
			t.Fatal(err)
		}
		if len(heir.ahead) != 1 || leader.own.Deleted() {
			t.Error("the heir has taken over, while the leader beats")
		}
	})
}
