// Package locktest makes what a lock's holder has, for unit tests of code that runs under a lock,
// without ZooKeeper. For tests of whole hand-overs, with sessions and faults, see the package
// session/zktest.
package locktest

import (
	"context"
	"sync/atomic"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// tokens counts up, so that each token is larger than those before, as with real locks.
var tokens atomic.Int64

// NewHeld returns a Held that is valid until it is released or end is called, with a token larger
// than that of every Held made before. end ends it as a loss does: the context is cancelled with a
// *recipe.Ended that has the reason as its cause, and Valid is false. Only the first end counts. When
// ctx ends, it ends with recipe.ReasonCancelled, as in Do.
//
// Held.Multi returns recipe.ErrNotHeld, because there is no ensemble.
func NewHeld(ctx context.Context) (held *lock.Held, end func(recipe.Reason)) {
	h, end := testhook.NewHeld(ctx, tokens.Add(1))
	return h.(*lock.Held), end
}
