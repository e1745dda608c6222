package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

func TestDoReportsALoss(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a := x.contender("a")
		mine := errors.New("mine")
		err := a.Do(await.Context(t), func(context.Context, *lock.Held) error { return mine })
		if err != mine {
			t.Errorf("Do returned %v", err)
		}
		err = a.Do(await.Context(t), func(ctx context.Context, h *lock.Held) error {
			if err := x.Admin.Delete(t.Context(), h.Node(), -1); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return mine
		})
		want(t, err, recipe.ReasonNodeDeleted)
		want(t, err, mine)
		if text := err.Error(); text != "recipe: not held any more: node deleted; the work returned: mine" {
			t.Errorf("Do says %q", text)
		}
	})
}

// Work that does not stop loses the lock after DrainTimeout, and Do says so.
func TestWorkThatDoesNotStopLosesTheLock(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.contender("a", lock.Config{DrainTimeout: time.Second}), x.contender("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- a.Do(ctx, func(context.Context, *lock.Held) error { close(inside); <-leave; return nil })
		}()
		<-inside
		cancel()
		release(t, b.acquire())
		close(leave)
		want(t, <-done, recipe.ReasonCancelled)
		x.nobodyWaited()
	})
}

func TestAPanicReleasesTheLock(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.contender("a"), x.contender("b")
		func() {
			defer func() {
				if v := recover(); v != "oops" {
					t.Errorf("recovered %v", v)
				}
			}()
			a.Do(await.Context(t), func(context.Context, *lock.Held) error { panic("oops") })
		}()
		release(t, b.acquire())
		x.nobodyWaited()
	})
}
