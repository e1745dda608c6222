package lock

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewHeld = newTestHeld }

// endless is the lease of a Held for unit tests.
type endless struct{}

func (endless) Valid() bool              { return true }
func (endless) Remaining() time.Duration { return time.Hour }
func (endless) Deadline() time.Time      { return time.Now().Add(time.Hour) }

// newTestHeld makes what is held for locktest.
func newTestHeld(ctx context.Context, token int64) (any, func(recipe.Reason)) {
	at := newHolding(ctx, &Lock{}, nil, held.Config{Clock: clock.From(ctx), Lease: endless{}, Token: token})
	close(at.left)
	end := func(reason recipe.Reason, err error) {
		at.End(reason, err)
		at.Finish()
	}
	context.AfterFunc(ctx, func() { end(recipe.ReasonCancelled, context.Cause(ctx)) })
	return at.first, func(reason recipe.Reason) { end(reason, nil) }
}
