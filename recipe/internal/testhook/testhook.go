// Package testhook lets recipetest make what recipes hand out without an ensemble, and keeps the
// means out of the recipes' public API. Each recipe sets its function when it is linked in.
package testhook

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
)

// NewTerm makes a term that is valid until end is called: an *election.Term.
var NewTerm func(ctx context.Context, id string, token int64) (term any, end func(recipe.Reason))

// NewHeld makes what is held until end is called or it is released: a *lock.Held.
var NewHeld func(ctx context.Context, token int64) (held any, end func(recipe.Reason))

// NewSet joins what NewHeld has made: a *lock.Set. helds is a []*lock.Held.
var NewSet func(helds any) (set any)

// NewPermit makes a permit that is valid until end is called or it is released: a
// *semaphore.Permit.
var NewPermit func(ctx context.Context, token int64, slots []int) (permit any, end func(recipe.Reason))

// NewListing makes a listing of a member that is valid until end is called: a *group.Listing.
var NewListing func(ctx context.Context, token int64) (listing any, end func(recipe.Reason))

// NewSnapshot makes a group.Snapshot of that age. members is a []group.Entry.
var NewSnapshot func(age time.Duration, members any) (snapshot any)

// NewRound makes a round without others, which is valid until end or its Leave is called: a
// *barrier.Round.
var NewRound func(ctx context.Context) (round any, end func(recipe.Reason))

// Lease is the lease of what these functions make. It never ends by time. When its context ends, it
// ends what has the lease. Valid and Remaining notice that at once, so a test need not wait.
type Lease struct {
	Endless
	ctx  context.Context
	held *held.Held
}

// NewLease returns a lease of what ends with ctx. Call [Lease.Bind] next.
func NewLease(ctx context.Context) *Lease { return &Lease{ctx: ctx} }

// Bind ends h, which has the lease, when the context ends or when end is called.
func (l *Lease) Bind(h *held.Held) (end func(recipe.Reason)) {
	l.held = h
	context.AfterFunc(l.ctx, l.look)
	return func(reason recipe.Reason) { h.End(reason, nil) }
}

func (l *Lease) look() {
	if l.held != nil && l.ctx.Err() != nil {
		l.held.End(recipe.ReasonCancelled, context.Cause(l.ctx))
	}
}

// Valid is true, after a look at the context.
func (l *Lease) Valid() bool {
	l.look()
	return l.Endless.Valid()
}

// Remaining is that of Endless, after a look at the context.
func (l *Lease) Remaining() time.Duration {
	l.look()
	return l.Endless.Remaining()
}

// Endless is a lease without an end.
type Endless struct{}

// Valid is always true.
func (Endless) Valid() bool { return true }

// Remaining is always the same.
func (Endless) Remaining() time.Duration { return time.Hour }

// Deadline is never reached.
func (Endless) Deadline() time.Time { return time.Now().Add(time.Hour) }
