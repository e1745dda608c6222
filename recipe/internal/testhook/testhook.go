// Package testhook lets electiontest make an election.Term without an ensemble, and
// keeps the means out of the election's public API.
package testhook

import "context"

// NewTerm makes a term that is valid until end is called with a reason. The types are
// the election package's, which sets it when it is linked in: term is an *election.Term,
// and reason is an election.Reason.
var NewTerm func(ctx context.Context, id string, token int64) (term any, end func(reason, err error))
