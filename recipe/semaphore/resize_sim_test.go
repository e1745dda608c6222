package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// whileItLags lets another process change the size from 5 to 10, and then calls f with a process
// whose server does not know that yet.
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

// The answer is lost, and then the session, or ctx ends, before anybody could tell what became of
// the request.
func TestResizeTellsThatItsOutcomeIsUnknown(t *testing.T) {
	for name, end := range map[string]func(b *process, cancel func()){
		"session": func(b *process, _ func()) { b.host.Drop() },
		"ctx":     func(b *process, cancel func()) { b.host.Hold(); cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				s.release(a.acquire())
				s.Session(b.client)
				// The first multi is a QuorumSync. The third read of the record is the one after
				// the loss.
				s.On(zktest.Match{Op: zktest.OpMulti, Host: "b", Path: stagePath + "/leases", Nth: 2}, zktest.LoseReply)
				sent := s.On(zktest.Match{Op: zktest.OpGetData, Host: "b", Path: stagePath + "/leases", Nth: 3}, zktest.LoseRequest)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				resized := make(chan error, 1)
				go func() { resized <- b.Resize(ctx, 2) }()
				<-sent.Fired()
				end(b, cancel)
				if err := <-resized; session.OutcomeOf(err) != session.OutcomeUnknown {
					t.Errorf("%v: %v", session.OutcomeOf(err), err)
				}
				if now := s.record(s.Admin()); !strings.Contains(now, "\nsize 2\n") {
					t.Errorf("it was not carried out: %q", now)
				}
			})
		})
	}
}

// loses begins a Resize to 2 by b, and cuts b off when the write of the size or its answer is lost.
func (s *stage) loses(b *process, lost zktest.Effect) (resized <-chan error) {
	s.T.Helper()
	s.Session(b.client)
	sent := s.On(zktest.Match{Op: zktest.OpMulti, Host: "b", Path: stagePath + "/leases", Nth: 2}, lost) // the first is a QuorumSync
	done := make(chan error, 1)
	go func() { done <- b.Resize(context.Background(), 2) }()
	<-sent.Fired()
	b.host.Hold()
	return done
}

// The answer is lost. Another Resize follows before the first one's process hears anything. Where
// the server has no numbers left, the record does not tell what became of the first one.
func TestAResizeIsCarriedOutOnce(t *testing.T) {
	for _, numbers := range []int32{0, math.MaxInt32} {
		t.Run(fmt.Sprint("from ", numbers), func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				s.release(a.acquire())
				if numbers > 0 {
					s.StartSequence(stagePath+"/leases", numbers)
					s.release(a.acquire()) // with the last number
				}
				resized := s.loses(b, zktest.LoseReply)
				s.Eventually("size 2", func() bool { return strings.Contains(s.record(s.Admin()), "\nsize 2\n") })
				shared.Must(t, a.Resize(t.Context(), 3))
				b.host.Heal()
				if err := <-resized; session.OutcomeOf(err) != session.OutcomeUnknown {
					t.Error(err)
				}
				if now := s.record(s.Admin()); !strings.Contains(now, "\nsize 3\n") {
					t.Errorf("%q", now)
				}
			})
		})
	}
}

// The answer is lost, and the server has no numbers left. The size is what was asked for.
func TestAResizeWithoutANumberThatWasCarriedOutIsDone(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		s.release(a.acquire())
		s.StartSequence(stagePath+"/leases", math.MaxInt32)
		s.release(a.acquire())
		resized := s.loses(b, zktest.LoseReply)
		await.Sleep(stageD / 8)
		b.host.Heal()
		shared.Must(t, <-resized)
		if now := s.record(s.Admin()); !strings.Contains(now, "\nsize 2\n") {
			t.Errorf("%q", now)
		}
	})
}

func TestAResizeThatFailsDelaysNobody(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		s.release(a.acquire())
		s.Session(b.client)
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "b", Path: stagePath + "/leases", Nth: 2}, zktest.Fail(zktest.CodeNoAuth))
		if err := b.Resize(t.Context(), 2); !errors.Is(err, zk.ErrNoAuth) {
			t.Error(err)
		}
		s.usable(stageD / 4)
	})
}

// The request is lost, and somebody deletes the znode of the Resize by hand. One who waited tells
// in the record that it is over.
func TestAResizeThatOthersEndedIsNotCalledDone(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		s.size = 1
		admin, a, b := s.Admin(), s.process("a"), s.process("b")
		s.release(a.acquire())
		resized := s.loses(b, zktest.LoseRequest)
		await.Sleep(stageD / 8)
		waiting := a.begin(1)
		await.Sleep(stageD / 8)
		for _, n := range s.below("leases") {
			if n.Stat.EphemeralOwner == s.sessionOf(b) {
				shared.Must(t, admin.Delete(t.Context(), n.Path, -1))
			}
		}
		s.release(<-waiting)
		b.host.Heal()
		err, now := <-resized, s.record(admin)
		if session.OutcomeOf(err) != session.OutcomeUnknown || !strings.Contains(now, "\nsize 1\n") {
			t.Errorf("%v; %q", err, now)
		}
	})
}
