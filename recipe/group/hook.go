package group

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() {
	testhook.NewListing = newTestListing
	testhook.NewSnapshot = newTestSnapshot
}

// newTestListing makes a listing for recipetest.
func newTestListing(ctx context.Context, token int64) (any, func(recipe.Reason)) {
	lease := testhook.NewLease(ctx)
	l := &Listing{lease: true, held: held.New(ctx, held.Config{Clock: clock.From(ctx), Lease: lease, Token: token})}
	return l, lease.Bind(l.held)
}

// newTestSnapshot makes a snapshot for recipetest. members is a []Entry.
func newTestSnapshot(age time.Duration, members any) any {
	c := clock.System
	return Snapshot{Members: members.([]Entry), AsOf: c.Wall().Add(-age), asOf: c.Now().Add(-age), clock: c}
}
