package lock

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// endless is what is held without servers. Its znode is gone already.
func endless() *holding {
	at := newHolding(context.Background(), &Lock{}, nil, nil, held.Config{Clock: clock.From(context.Background()), Lease: testhook.Endless{}})
	close(at.left)
	return at
}

// releases reports a panic as a failure, so that those who run the broken variants see one.
func releases(t *testing.T, h *Held) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("Release panics: %v", p)
		}
	}()
	if err := h.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// The user, a Downgrade and an Acquire that has given up may each end the same Held, in any order.
// It counts once: a second acquisition under it goes on.
func TestAHeldIsReleasedOnce(t *testing.T) {
	ends := map[string]func(*holding){
		"release":   func(at *holding) { at.first.Release(t.Context()) },
		"downgrade": func(at *holding) { at.first.askDowngrade() },
		"give away": func(at *holding) { at.giveAway(errors.New("given up")) },
	}
	for one, first := range ends {
		for two, second := range ends {
			t.Run(one+", "+two, func(t *testing.T) {
				at := endless()
				first(at)
				second(at)
				if at.kept() {
					t.Error("it is kept")
				}
			})
			t.Run(one+", "+two+", while it is held twice", func(t *testing.T) {
				at := endless()
				if !at.again() {
					t.Fatal("it is not held")
				}
				again := &Held{at: at, nested: true}
				first(at)
				second(at)
				if !at.kept() {
					t.Error("the second acquisition is over")
				}
				again.Release(t.Context())
				at.first.Release(t.Context())
				if at.kept() {
					t.Error("it is kept")
				}
			})
		}
	}
}

// A Release begins while a Downgrade is asking. It changes nothing before the Downgrade has
// decided. Otherwise both would end what is held.
func TestAReleaseWaitsForADowngradeThatIsAsking(t *testing.T) {
	at := endless()
	at.mu.Lock() // as askDowngrade, which has found that it is not released
	var releasing sync.WaitGroup
	releasing.Go(func() { releases(t, at.first) })
	await.Until(t, "a Release that waits for mu", func() bool {
		stacks := make([]byte, 1<<20)
		for goroutine := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(goroutine, "(*Held).release(") && strings.Contains(goroutine, "sync.(*Mutex).Lock(") {
				return true
			}
		}
		return false
	})
	if !at.first.Valid() {
		t.Error("it is released although somebody is asking")
	}
	at.mu.Unlock()
	releasing.Wait()
	if at.kept() {
		t.Error("it is kept")
	}
}

// countedContext calls f when the library asks it for the n-th time what is held under it.
type countedContext struct {
	context.Context
	n *atomic.Int32
	f func()
}

func (c countedContext) Value(key any) any {
	if key == (under{}) && c.n.Add(-1) == 0 {
		c.f()
	}
	return c.Context.Value(key)
}

// The context of an Acquire ends at the moment at which the lock is won, so that the lock is given
// away. An event has shown it to the user, who releases it afterwards.
func TestWhatIsGivenAwayMayBeReleasedByItsEvent(t *testing.T) {
	ways := map[string]struct {
		asked   int32 // how often what is held is looked for, up to the moment at which all is won
		acquire func(context.Context, ...*Lock) error
	}{
		"one": {2, func(ctx context.Context, locks ...*Lock) error { _, err := locks[0].Acquire(ctx); return err }},
		"all": {5, func(ctx context.Context, locks ...*Lock) error { _, err := All(ctx, locks...); return err }},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			stage.On(t, zktest.Config{}, func(s *stage.Stage) {
				t, client := s.T, s.Client("a")
				var events await.List[Event]
				cfg := Config{OnEvent: events.Add}
				one, err := New(client, "/one", cfg)
				stage.Must(t, err)
				two, err := New(client, "/two", cfg)
				stage.Must(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				var n atomic.Int32
				n.Store(way.asked)
				returned := make(chan struct{})
				counted := countedContext{ctx, &n, func() {
					cancel()
					<-returned
				}}
				err = way.acquire(counted, one, two)
				close(returned)
				if err != context.Canceled {
					t.Fatalf("error %v; want that of the context", err)
				}
				await.Sleep(time.Second)
				won := 0
				for _, ev := range events.All() {
					if ev.Kind == EventAcquired {
						won++
						releases(t, ev.Held)
					}
				}
				if won == 0 {
					t.Fatal("it was not won")
				}
				for _, l := range []*Lock{one, two} {
					h, err := l.Acquire(t.Context())
					stage.Must(t, err)
					stage.Must(t, h.Release(t.Context()))
				}
			})
		})
	}
}
