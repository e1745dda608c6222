package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit of a holder that has crashed, and whose session has expired, can be tried for without
// a contender that waits for it.
func TestTryAcquireWaitsForALeaseThatMayRun(t *testing.T) {
	for name, cfg := range map[string]semaphore.Config{"rank": {}, "slots": slotted} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a", cfg), s.process("b", cfg)
				s.Session(b.client)
				old := a.acquire()
				a.host.Drop()
				begun := time.Now()
				s.ExpireSession(s.Session(a.client).ID())
				ctx, cancel := context.WithTimeout(t.Context(), stageD/4)
				_, err := b.TryAcquire(ctx)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "lease") {
					t.Errorf("%v does not say what it has waited for", err)
				}
				if !old.Valid() {
					t.Error("the lease has not outlived the session: nothing is shown")
				}
				p, err := b.TryAcquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > 2*stageD {
					t.Errorf("it took %v", took)
				}
				s.check(t, "b", p)
				s.release(p)
			})
		})
	}
}

// Somebody has created a znode of another kind. It is no permit, and nobody who waits. But its
// number is missing among the permits, and may have been that of one that has vanished.
func TestAZnodeOfAnotherKindCostsTryAcquireOneWait(t *testing.T) {
	for dir, waits := range map[string]int{"leases": 1, "locks": 0} {
		t.Run(dir, func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				s.release(a.acquire())
				if _, err := s.Admin().Create(t.Context(), stagePath+"/"+dir+"/foo", nil, zk.FlagPersistent, nil); err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					begun := time.Now()
					p, err := b.TryAcquire(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(begun); took > 2*stageD || took > stageD/4 && i >= waits {
						t.Errorf("number %d took %v", i, took)
					}
					s.check(t, "b", p)
					if _, err := a.TryAcquire(t.Context()); err != semaphore.ErrBusy {
						t.Errorf("error %v while it is held", err)
					}
					s.release(p)
				}
				if n := b.count(semaphore.EventWithheld); n != waits {
					t.Errorf("%d events tell of a wait; want %d", n, waits)
				}
			})
		})
	}
}

func TestTryAcquireReturnsWithItsContextWhereNobodyAnswers(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		a.host.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := a.TryAcquire(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
	})
}

// A silent holder is taken over from, long before its session expires.
func TestASilentHolderIsTakenOverFrom(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout = 10 * stageT
		s.Config.Lease = stageD
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		cut, other := a.acquire(), b.acquire()
		waiting := c.queue()
		await.Sleep(stageT)
		begun := time.Now()
		a.host.Drop()
		got := <-waiting
		if took := time.Since(begun); took > stageD*3/2 {
			t.Errorf("it took %v", took)
		}
		if cut.Valid() || !got.Valid() || !other.Valid() {
			t.Errorf("valid %v, %v, %v", cut.Valid(), got.Valid(), other.Valid())
		}
		s.Eventually("takeover", func() bool { return c.count(semaphore.EventTookOver) == 1 })
		a.host.Heal()
		<-cut.Context().Done()
		if err := cut.Release(t.Context()); !errors.Is(err, recipe.ReasonLeaseExpired) && !errors.Is(err, recipe.ReasonSessionLost) {
			t.Errorf("released with %v", err)
		}
	})
}

// One that comes after a permit has vanished unseen does not know whether its holder has stopped.
func TestAPermitThatVanishedUnseenIsWaitedFor(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		gone, other := a.acquire(), b.acquire()
		a.host.Drop()
		s.ExpireSession(s.Session(a.client).ID())
		s.Eventually("end of the permit", func() bool { return len(s.below("leases")) == 1 })
		begun := time.Now()
		got := c.acquire()
		if took := time.Since(begun); took < stageD || took > stageD*3/2 {
			t.Errorf("it waited for %v", took)
		}
		if gone.Valid() {
			t.Error("three are valid")
		}
		// The next one need not wait for that again.
		await.Sleep(stageD / 4)
		s.release(other)
		begun = time.Now()
		last := s.process("d").acquire()
		if took := time.Since(begun); took > stageD/4 {
			t.Errorf("the next one waited for %v", took)
		}
		s.release(got)
		s.release(last)
	})
}

// A hundred wait for ten permits. Only the one at the front waits for a permit, so each that is
// given away wakes one.
func TestAPermitWakesOneOfAHundred(t *testing.T) {
	rounds.All(t)
	onStage(t, 10, zktest.Config{}, func(t *testing.T, s *stage) {
		held, clients := []*semaphore.Permit{}, []*process{}
		for i := range 10 {
			clients = append(clients, s.process(fmt.Sprint("p", i)))
			held = append(held, clients[i].acquire())
		}
		var waiting []<-chan *semaphore.Permit
		for i := range 100 {
			waiting = append(waiting, clients[i%10].queue())
		}
		for i := range 20 {
			await.Sleep(stageT)
			byPermit := 0
			for _, w := range s.Watches() {
				if w.Child && w.Path == stagePath+"/leases" {
					byPermit++
				}
			}
			if byPermit != 1 {
				t.Fatalf("%d wait for permits", byPermit)
			}
			s.release(held[i])
			held = append(held, <-waiting[i])
		}
		for i := range 80 {
			s.release(held[20+i])
			held = append(held, <-waiting[20+i])
		}
		for _, p := range held[100:] {
			s.release(p)
		}
	})
}

func TestTheDeadlineIsWhenTheLeaseEnds(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		h := s.process("a").acquire()
		if until, remaining := time.Until(h.Deadline()), h.Remaining(); remaining <= 0 || (until-remaining).Abs() > time.Millisecond {
			t.Errorf("the deadline is in %v; the lease runs for %v", until, remaining)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
