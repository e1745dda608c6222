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
	lease := testhook.NewLease(ctx)
	r := newRound(&entry{d: &Double{}}, nil, 0)
	r.held = held.New(ctx, held.Config{Clock: clock.From(ctx), Lease: lease})
	r.quit = func() {}
	close(r.guarded)
	return r, lease.Bind(r.held)
}
