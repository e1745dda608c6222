package semaphore

import (
	"context"
	"slices"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewPermit = newTestPermit }

// newTestPermit makes a permit for recipetest.
func newTestPermit(ctx context.Context, token int64, slots []int) (any, func(recipe.Reason)) {
	at := &place{paths: make([]string, max(len(slots), 1))}
	at.taking.slots = slices.Clone(slots)
	lease := testhook.NewLease(ctx)
	p := &Permit{
		place: at, letGo: make(chan struct{}), left: make(chan struct{}),
		held: held.New(ctx, held.Config{Clock: clock.From(ctx), Lease: lease, Token: token}),
	}
	close(p.left)
	return p, lease.Bind(p.held)
}
