// Package testhook lets electiontest make an election.Term without an ensemble, and locktest a
// lock.Held, and keeps the means out of the recipes' public API.
package testhook

import (
	"context"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// NewTerm makes a term that is valid until end is called. The election package sets it when it is
// linked in: term is an *election.Term.
var NewTerm func(ctx context.Context, id string, token int64) (term any, end func(recipe.Reason))

// NewHeld makes what is held until end is called or it is released. The lock package sets it when it
// is linked in: held is a *lock.Held.
var NewHeld func(ctx context.Context, token int64) (held any, end func(recipe.Reason))
