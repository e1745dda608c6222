package barrier

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewRound = newTestRound }

// newTestRound makes a round for recipetest: one without others.
func newTestRound(ctx context.Context) (any, func(recipe.Reason)) {
	r := newRound(&entry{d: &Double{}}, nil, 0)
	r.held = held.New(ctx, held.Config{Clock: clock.From(ctx), Lease: testhook.Endless{}})
	r.quit = func() {}
	close(r.guarded)
	end := func(reason recipe.Reason, err error) {
		r.held.End(reason, err)
		r.held.Finish()
	}
	context.AfterFunc(ctx, func() { end(recipe.ReasonCancelled, context.Cause(ctx)) })
	return r, func(reason recipe.Reason) { end(reason, nil) }
}
