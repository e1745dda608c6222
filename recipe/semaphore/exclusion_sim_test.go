package semaphore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit of a session that is over is another's, though the process is the same.
func TestThePermitOfAnOldSessionIsNotOurs(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.person("a")
		old := a.acquire()
		for _, server := range s.Servers() {
			server.DelayExpiry(time.Hour)
		}
		before := s.session(a.client).ID()
		a.host.Drop()
		<-old.Context().Done()
		s.eventually("end of the session", func() bool { return s.sessionOf(a) != before })
		a.host.Heal()
		s.eventually("new session", func() bool { return s.sessionOf(a) != 0 })
		if len(s.below("leases")) != 1 {
			t.Fatal("the old permit is gone already")
		}
		p := a.acquire()
		if !strings.HasPrefix(p.Node(), stagePath+"/leases/") || p.Node() == old.Node() || !p.Valid() {
			t.Errorf("node %s, valid %v", p.Node(), p.Valid())
		}
		time.Sleep(5 * stageT)
		if !p.Valid() {
			t.Error("it vanished a moment later")
		}
		s.release(p)
	})
}

// sessionOf returns the id of a process's session, or 0.
func (s *stage) sessionOf(p *person) int64 { return p.client.Status().Session }

// Two stand at the front of the line at once, because somebody has deleted the znode of the first.
// Only the older permit is admitted.
func TestRankAdmitsWhereTheInnerLineIsBroken(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		held := s.person("a").acquire()
		first, second := s.person("b"), s.person("c")
		b := first.queue()
		s.eventually("second permit", func() bool { return len(s.below("leases")) == 2 })
		for _, n := range s.below("locks") {
			if err := s.admin().Delete(t.Context(), n.Path, -1); err != nil {
				t.Fatal(err)
			}
		}
		c := second.queue()
		s.eventually("third permit", func() bool { return len(s.below("leases")) == 3 })
		if !waits(b, stageT) || !waits(c, stageT) {
			t.Fatal("two of one")
		}
		s.release(held)
		got := <-b
		if !waits(c, 2*stageT) {
			t.Fatal("two of one")
		}
		s.release(got)
		s.release(<-c)
	})
}

// Two who want two of two at once, and are at the front at the same time, so that their permits
// come to stand between each other's.
func TestInterleavedPermitsDoNotWaitForEachOther(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		held := <-s.person("a").begin(2)
		b, c := s.person("b"), s.person("c")
		// Their second creates wait, so that the order is b, c, b, c.
		for _, name := range []string{"b", "c"} {
			s.Host(name).Delay(20*time.Millisecond, zktest.ToServer)
		}
		stop := make(chan struct{})
		go func() { // whoever stands in line is deleted from it: all are at the front
			admin := s.admin()
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				for _, n := range s.below("locks") {
					_ = admin.Delete(t.Context(), n.Path, -1)
				}
			}
		}()
		first, second := b.begin(2), c.begin(2)
		time.Sleep(200 * time.Millisecond)
		s.release(held)
		time.Sleep(200 * time.Millisecond)
		close(stop)
		var p *semaphore.Permit
		for range 2 {
			select {
			case p = <-first:
			case p = <-second:
			case <-time.After(time.Minute):
				t.Fatal("nobody holds anything")
			}
			s.release(p)
		}
	})
}
