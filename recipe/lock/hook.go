package lock

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() {
	testhook.NewHeld = newTestHeld
	testhook.NewSet = newTestSet
}

// newTestHeld makes what is held for recipetest.
func newTestHeld(ctx context.Context, token int64) (any, func(recipe.Reason)) {
	lease := testhook.NewLease(ctx)
	at := newHolding(ctx, &Lock{}, nil, nil, held.Config{Clock: clock.From(ctx), Lease: lease, Token: token})
	close(at.left)
	return at.first, lease.Bind(at.Held)
}

// newTestSet joins what newTestHeld has made. Its contexts have the values of the first.
func newTestSet(helds any) any {
	all := helds.([]*Held)
	return newSet(all[0].Context(), all)
}
