package semaphore_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// On real servers: many users, few permits, slots; nothing is left in the end.
func TestRealPermitsChangeHands(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts servers")
	}
	e := ensemble.Common(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const size, users, rounds = 3, 8, 5
	var working sync.WaitGroup
	var held, acquired atomic.Int32
	var taken [size]atomic.Bool
	for range users {
		client := shared.Open(t, e.ConnectString(), session.Config{Timeout: 10 * time.Second, Logger: shared.Logger("real")})
		sem, err := semaphore.New(client, "/"+t.Name(), size, semaphore.Config{Slots: true})
		if err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			for range rounds {
				p, err := sem.Acquire(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				slot := p.Slot().Number()
				if n := held.Add(1); p.Valid() && n > size || !taken[slot].CompareAndSwap(false, true) {
					t.Errorf("%d hold a permit, slot %d", n, slot)
				}
				acquired.Add(1)
				taken[slot].Store(false)
				held.Add(-1)
				if err := p.Release(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	if n := acquired.Load(); n != users*rounds && !t.Failed() {
		t.Errorf("%d acquisitions", n)
	}
}
