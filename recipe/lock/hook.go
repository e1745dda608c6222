package lock

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewHeld = newTestHeld }

// newTestHeld makes what is held for recipetest.
func newTestHeld(ctx context.Context, token int64) (any, func(recipe.Reason)) {
	at := newHolding(ctx, &Lock{}, nil, nil, held.Config{Clock: clock.From(ctx), Lease: testhook.Endless{}, Token: token})
	close(at.left)
	end := func(reason recipe.Reason, err error) {
		at.End(reason, err)
		at.Finish()
	}
	context.AfterFunc(ctx, func() { end(recipe.ReasonCancelled, context.Cause(ctx)) })
	return at.first, func(reason recipe.Reason) { end(reason, nil) }
}
