package semaphore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

func TestDoReportsALoss(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a := x.contender("a")
		mine := errors.New("mine")
		if err := a.Do(await.Context(t), func(context.Context, *semaphore.Permit) error { return mine }); err != mine {
			t.Errorf("Do returned %v", err)
		}
		if err := a.Do(t.Context(), nil); err == nil {
			t.Error("no error for a nil function")
		}
		err := a.Do(await.Context(t), func(ctx context.Context, p *semaphore.Permit) error {
			if err := x.Admin.Delete(t.Context(), p.Node(), -1); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return mine
		})
		if !errors.Is(err, recipe.ReasonNodeDeleted) || !errors.Is(err, mine) {
			t.Errorf("Do returned %v", err)
		}
	})
}

// Work that does not stop loses the permit after DrainTimeout, and Do says so.
func TestWorkThatDoesNotStopLosesThePermit(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a, b := x.contender("a", semaphore.Config{DrainTimeout: time.Second}), x.contender("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- a.Do(ctx, func(context.Context, *semaphore.Permit) error { close(inside); <-leave; return nil })
		}()
		<-inside
		cancel()
		x.release(b.acquire())
		close(leave)
		if err := <-done; !errors.Is(err, recipe.ReasonCancelled) {
			t.Errorf("Do returned %v", err)
		}
		x.nobodyWaited()
	})
}

func TestAPanicReleasesThePermit(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, x *contest) {
		a, b := x.contender("a"), x.contender("b")
		func() {
			defer func() {
				if v := recover(); v != "oops" {
					t.Errorf("recovered %v", v)
				}
			}()
			a.Do(await.Context(t), func(context.Context, *semaphore.Permit) error { panic("oops") })
		}()
		x.release(b.acquire())
		x.nobodyWaited()
	})
}
