// Package electiontest makes terms for unit tests of code that runs while leading,
// without ZooKeeper. For tests of whole failovers, with sessions and faults, see the
// package session/zktest.
package electiontest

import (
	"context"
	"sync/atomic"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

// tokens counts up, so that each term's token is larger than those before, as in real
// elections.
var tokens atomic.Int64

// NewTerm returns a term that is valid until end is called, with a token larger than
// that of every term made before. end ends it as the election would: the context is
// cancelled with an *recipe.Ended that has the reason as its cause, and Valid is false.
// Only the first end counts. When ctx ends, the term ends with recipe.ReasonCancelled, as in
// Run.
//
// Term.Multi and Term.Proclaim return recipe.ErrNotHeld, because there is no
// ensemble; Term.Resign and Term.Release end the term with recipe.ReasonReleased.
func NewTerm(ctx context.Context) (term *election.Term, end func(recipe.Reason)) {
	t, end := testhook.NewTerm(ctx, "electiontest", tokens.Add(1))
	return t.(*election.Term), end
}
