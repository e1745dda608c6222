package semaphore_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Waiters of several sessions come at the same time. When all have joined, the networks of some
// become slow. Those behind them could overtake them in everything that comes afterwards.
func TestWaitersOfManySessionsAreServedInTheOrderInWhichTheyJoined(t *testing.T) {
	const sessions, waiters, size = 4, 20, 3
	onStage(t, size, zktest.Config{}, func(t *testing.T, s *stage) {
		holder := s.process("holder")
		first := []*semaphore.Permit{holder.acquire(), holder.acquire(), holder.acquire()}
		var clients []*session.Client
		for i := range sessions {
			clients = append(clients, s.Client(fmt.Sprint("host ", i)))
			s.Session(clients[i])
		}
		var all []*waiter
		var done sync.WaitGroup
		for i := range waiters {
			w := &waiter{}
			all = append(all, w)
			sem, err := semaphore.New(clients[i%sessions], stagePath, size, semaphore.Config{OnEvent: w.events.Add})
			if err != nil {
				t.Fatal(err)
			}
			done.Go(func() {
				p, err := sem.Acquire(s.Within(10 * time.Minute))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(i%size) * stageD / 8) // they do not leave in the order in which they came
				if err := p.Release(s.Within(time.Minute)); err != nil {
					t.Error(err)
				}
			})
		}
		for _, w := range all {
			w.joined = w.next(t, semaphore.EventJoined)
		}
		for i := range sessions {
			s.Host(fmt.Sprint("host ", i)).Delay(time.Duration(sessions-1-i) * stageD / 32)
		}
		for _, p := range first {
			s.release(p)
		}
		done.Wait()
		for _, w := range all {
			w.acquired = w.next(t, semaphore.EventAcquired)
		}
		slices.SortFunc(all, func(a, b *waiter) int { return cmp.Compare(a.number(t), b.number(t)) })
		for i, w := range all[1:] {
			if before := all[i]; w.acquired.Time.Before(before.acquired.Time) || w.acquired.Token < before.acquired.Token {
				t.Errorf("%s joined after %s, and has a permit before it", w.joined.Node, before.joined.Node)
			}
		}
	})
}

// waiter is one that waits for a permit.
type waiter struct {
	events           await.List[semaphore.Event]
	joined, acquired semaphore.Event
}

func (w *waiter) next(t *testing.T, kind semaphore.EventKind) semaphore.Event {
	t.Helper()
	return w.events.Next(t, kind.String(), 0, 1, func(ev semaphore.Event) bool { return ev.Kind == kind })
}

// number is that of its znode in the line.
func (w *waiter) number(t *testing.T) int64 {
	t.Helper()
	n, ok := line.Parse(w.joined.Node[len(stagePath+"/locks/"):])
	if !ok {
		t.Fatalf("%s is no znode of the line", w.joined.Node)
	}
	return line.NumberOf(n)
}
