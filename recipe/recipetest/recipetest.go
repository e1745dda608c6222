// Package recipetest makes what recipes hand to their users, for unit tests of code that runs while
// leading, under a lock or with a permit, without ZooKeeper. What it makes lasts until the test ends
// it, for the reason that the test wants.
//
// Members of a group and caches are best tested on an ensemble in the test's own process: see the
// package session/zktest, and the examples of the packages group and cache. It is also for tests of
// whole failovers, with sessions and faults.
package recipetest

import (
	"context"
	"sync/atomic"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// tokens counts up, so that each token is larger than those before, as on an ensemble.
var tokens atomic.Int64

// NewTerm returns a term that is valid until end is called, with a token larger than
// that of everything made before. end ends it as the election would: the context is
// cancelled with an *recipe.Ended that has the reason as its cause, and Valid is false.
// Only the first end counts. When ctx ends, the term ends with recipe.ReasonCancelled, as in
// Run.
//
// Term.Multi and Term.Proclaim return recipe.ErrNotHeld, because there is no
// ensemble; Term.Resign and Term.Release end the term with recipe.ReasonReleased.
func NewTerm(ctx context.Context) (term *election.Term, end func(recipe.Reason)) {
	t, end := testhook.NewTerm(ctx, "recipetest", tokens.Add(1))
	return t.(*election.Term), end
}

// NewHeld is NewTerm for what the holder of a lock has. It ends with its release, too.
func NewHeld(ctx context.Context) (held *lock.Held, end func(recipe.Reason)) {
	h, end := testhook.NewHeld(ctx, tokens.Add(1))
	return h.(*lock.Held), end
}

// NewPermit is NewTerm for one permit of a semaphore, with those slots, or with none. It ends with
// its release, too.
func NewPermit(ctx context.Context, slots ...int) (permit *semaphore.Permit, end func(recipe.Reason)) {
	p, end := testhook.NewPermit(ctx, tokens.Add(1), slots)
	return p.(*semaphore.Permit), end
}
