package semaphore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit of a session that is over is another's, though the process is the same.
func TestThePermitOfAnOldSessionIsNotOurs(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		old := a.acquire()
		for _, server := range s.Servers() {
			server.DelayExpiry(time.Hour)
		}
		before := s.Session(a.client).ID()
		a.host.Drop()
		<-old.Context().Done()
		s.Eventually("end of the session", func() bool { return s.sessionOf(a) != before })
		a.host.Heal()
		s.Eventually("new session", func() bool { return s.sessionOf(a) != 0 })
		if len(s.below("leases")) != 1 {
			t.Fatal("the old permit is gone already")
		}
		p := a.acquire()
		if !strings.HasPrefix(p.Node(), stagePath+"/leases/") || p.Node() == old.Node() || !p.Valid() {
			t.Errorf("node %s, valid %v", p.Node(), p.Valid())
		}
		await.Sleep(5 * stageT)
		if !p.Valid() {
			t.Error("it vanished a moment later")
		}
		s.release(p)
	})
}

// sessionOf returns the id of a process's session, or 0.
func (s *stage) sessionOf(p *process) int64 { return p.client.Status().Session }

// An AcquireN of two gives up its znodes and tries again when another permit comes between them:
// two such would wait for each other.
func TestInterleavedPermitsDoNotWaitForEachOther(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		held := s.process("a").acquire()
		b := s.process("b")
		admin := s.Admin()
		b.host.Delay(50*time.Millisecond, zktest.ToServer) // between its creates
		got := b.begin(2)
		of := func(who string) (all []int64) {
			for _, n := range s.below("leases") {
				if string(n.Data) == who {
					all = append(all, n.Stat.Czxid)
				}
			}
			return all
		}
		for len(of("b")) == 0 {
			await.Sleep(time.Millisecond)
		}
		between, err := admin.CreatePlace(t.Context(), stagePath+"/leases", "lease-", []byte("x"), nil)
		if err != nil || len(of("b")) != 1 {
			t.Fatalf("%v, %d permits of b", err, len(of("b")))
		}
		s.Eventually("younger permits of b", func() bool {
			mine, x := of("b"), of("x")
			return len(mine) == 2 && len(x) == 1 && mine[0] > x[0] && mine[1] > x[0]
		})
		s.release(held)
		if err := admin.Delete(t.Context(), between, -1); err != nil {
			t.Fatal(err)
		}
		s.release(<-got)
	})
}

// The permit of the one at the front of the line is deleted while it waits. It comes again, behind
// the others.
func TestAWaitingPermitThatIsDeletedDoesNotHoldUpTheLine(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		held := s.process("a").acquire()
		second := s.process("b")
		b := second.queue()
		before := s.sessionOf(second)
		s.Eventually("second permit", func() bool { return len(s.below("leases")) == 2 })
		c := s.process("c").queue()
		for _, n := range s.below("leases") {
			if n.Path != held.Node() {
				if err := s.Admin().Delete(t.Context(), n.Path, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.release(held)
		for range 2 {
			select {
			case p := <-b:
				s.release(p)
			case p := <-c:
				s.release(p)
			case <-time.After(time.Minute):
				t.Fatal("nobody is served")
			}
		}
		if s.sessionOf(second) != before {
			t.Error("somebody had to take over from a session that was well")
		}
	})
}
