package semaphore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// whileItLags lets another process change the size from 5 to 10, and then calls f with a process whose server does not
// know that yet.
func (s *stage) whileItLags(f func(p *process) error) {
	s.T.Helper()
	s.release(s.process("a").acquire())
	lagging := s.Followers()[0]
	s.servers = []string{lagging.Addr()}
	p := s.process("b")
	s.Session(p.client)
	s.servers = []string{s.Leader().Addr()}
	other := s.process("c")
	lagging.Isolate()
	shared.Must(s.T, other.Resize(s.T.Context(), 10))
	done := make(chan error, 1)
	go func() { done <- f(p) }()
	await.Sleep(stageTick / 4)
	lagging.Rejoin()
	shared.Must(s.T, <-done)
}

func TestResizeDoesNotBelieveAServerThatLags(t *testing.T) {
	onStage(t, 5, zktest.Config{}, func(t *testing.T, s *stage) {
		s.whileItLags(func(p *process) error { return p.Resize(context.Background(), 5) })
		if now := s.record(s.Admin()); !strings.Contains(now, "\nsize 5\n") {
			t.Errorf("the size was to be 5: %q", now)
		}
	})
}

func TestNobodyIsRefusedForASizeOfThePast(t *testing.T) {
	onStage(t, 5, zktest.Config{}, func(t *testing.T, s *stage) {
		s.whileItLags(func(p *process) error {
			permit, err := p.AcquireN(context.Background(), 10)
			if err == nil {
				err = permit.Release(context.Background())
			}
			return err
		})
	})
}

// A process is killed while it resizes. Others count its znode as a permit.
func TestAResizeThatIsKilledIsTakenOverFrom(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		for _, srv := range s.Servers() {
			srv.DelayExpiry(time.Minute)
		}
		a, b := s.process("a"), s.process("b")
		s.release(a.acquire())
		sent := s.On(zktest.Match{Op: zktest.OpMulti, Host: "b", Path: stagePath + "/leases", Nth: 2}, zktest.DropRequest) // the first is a QuorumSync
		go b.Resize(t.Context(), 2)
		<-sent.Fired()
		b.host.Drop()
		if left := len(s.below("leases")); left != 1 {
			t.Fatalf("%d znodes are left; want 1", left)
		}
		begun := time.Now()
		s.release(a.acquire())
		if took := time.Since(begun); took > stageD*3/2 || a.count(semaphore.EventTookOver) != 1 {
			t.Errorf("it took %v at a lease of %v, with %d takeovers", took, stageD, a.count(semaphore.EventTookOver))
		}
	})
}

// Nobody waits for the lease of a Resize, because it is over with the multi that writes the size.
func TestAResizeDelaysNobody(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		s.release(a.acquire())
		for _, s.size = range []int{3, 2, 1} {
			if err := a.Resize(t.Context(), s.size); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		s.release(a.acquire())
		if took := time.Since(begun); took > stageD/4 {
			t.Errorf("it took %v at a lease of %v", took, stageD)
		}
	})
}

// The answer is lost, and then the session, before anybody could tell what became of the request.
func TestResizeTellsThatItsOutcomeIsUnknown(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		s.release(a.acquire())
		s.Session(b.client)
		sent := s.On(zktest.Match{Op: zktest.OpMulti, Host: "b", Path: stagePath + "/leases", Nth: 2}, zktest.LoseReply) // the first is a QuorumSync
		resized := make(chan error, 1)
		go func() { resized <- b.Resize(context.Background(), 2) }()
		<-sent.Fired()
		b.host.Drop()
		if err := <-resized; session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("%v: %v", session.OutcomeOf(err), err)
		}
		if now := s.record(s.Admin()); !strings.Contains(now, "\nsize 2\n") {
			t.Errorf("it was not carried out: %q", now)
		}
	})
}
