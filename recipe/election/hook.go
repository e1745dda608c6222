package election

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewTerm = newTestTerm }

// newTestTerm makes a term for recipetest.
func newTestTerm(ctx context.Context, id string, token int64) (any, func(recipe.Reason)) {
	lease := testhook.NewLease(ctx)
	t := newTerm(ctx, id, held.Config{Clock: clock.From(ctx), Lease: lease, Token: token})
	close(t.released)
	return t, lease.Bind(t.held)
}
