// Package testhook lets recipetest make what recipes hand out without an ensemble, and keeps the means
// out of the recipes' public API. Each recipe sets its function when it is linked in.
package testhook

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// NewTerm makes a term that is valid until end is called: an *election.Term.
var NewTerm func(ctx context.Context, id string, token int64) (term any, end func(recipe.Reason))

// NewHeld makes what is held until end is called or it is released: a *lock.Held.
var NewHeld func(ctx context.Context, token int64) (held any, end func(recipe.Reason))

// NewPermit makes a permit that is valid until end is called or it is released: a *semaphore.Permit.
var NewPermit func(ctx context.Context, token int64, slots []int) (permit any, end func(recipe.Reason))

// NewListing makes a listing of a member that is valid until end is called: a *group.Listing.
var NewListing func(ctx context.Context, token int64) (listing any, end func(recipe.Reason))

// NewSnapshot makes a group.Snapshot of that age. members is a []group.Entry.
var NewSnapshot func(age time.Duration, members any) (snapshot any)

// NewRound makes a round without others, which is valid until end or its Leave is called: a *barrier.Round.
var NewRound func(ctx context.Context) (round any, end func(recipe.Reason))

// Endless is their lease.
type Endless struct{}

// Valid is always true.
func (Endless) Valid() bool { return true }

// Remaining is always the same.
func (Endless) Remaining() time.Duration { return time.Hour }

// Deadline is never reached.
func (Endless) Deadline() time.Time { return time.Now().Add(time.Hour) }
