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
	t := newTerm(ctx, id, held.Config{Clock: clock.From(ctx), Lease: testhook.Endless{}, Token: token})
	close(t.released)
	end := func(reason recipe.Reason, err error) {
		t.held.End(reason, err)
		t.held.Finish()
	}
	context.AfterFunc(ctx, func() { end(recipe.ReasonCancelled, context.Cause(ctx)) })
	return t, func(reason recipe.Reason) { end(reason, nil) }
}
