// Package testhook lets electiontest make an election.Term without an ensemble, and
// keeps the means out of the election's public API.
package testhook

import (
	"context"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// NewTerm makes a term that is valid until end is called. The election package sets it when it is
// linked in: term is an *election.Term.
var NewTerm func(ctx context.Context, id string, token int64) (term any, end func(recipe.Reason))
