// Package recipetest makes terms, held locks, sets of held locks, permits, listings, snapshots and
// rounds without ZooKeeper, for unit tests of code that uses them. Each of them lasts until the
// test ends it, for the reason that the test chooses.
//
// Code that calls Run, Do, Acquire, lock.All or Join itself, or uses a value, a counter, a cache, a
// barrier or a latch, needs an ensemble: [NewClient] makes one in the test's own process. With it,
// whole failovers can be tested, too: the package session/zktest tells how to cause faults and ends
// of sessions.
package recipetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// tokens counts up, so that each token is larger than those before, as on an ensemble.
var tokens atomic.Int64

// NewTerm returns a term that is valid until end is called, with a token larger than that of
// everything made before. end ends it as the election would: the context is cancelled with an
// *recipe.EndedError that has the reason as its cause, and Valid is false. Only the first end
// counts. When ctx ends, the term ends with recipe.ReasonCancelled, as in Run. Valid and Err of the
// term's context tell that at once.
//
// If the reason is our own choice ([recipe.Reason.Chosen]), DrainContext goes on. It ends with
// Term.Release, or when end is called again with another reason, such as recipe.ReasonLeaseExpired.
//
// Term.Multi and Term.Proclaim return recipe.ErrNotHeld, because there is no ensemble; Term.Resign
// and Term.Release end the term with recipe.ReasonReleased.
func NewTerm(ctx context.Context) (term *election.Term, end func(recipe.Reason)) {
	t, end := testhook.NewTerm(ctx, "recipetest", tokens.Add(1))
	return t.(*election.Term), end
}

// NewHeld is NewTerm for a lock that is held. It ends with its release, too.
func NewHeld(ctx context.Context) (held *lock.Held, end func(recipe.Reason)) {
	h, end := testhook.NewHeld(ctx, tokens.Add(1))
	return h.(*lock.Held), end
}

// NewSet joins locks that are held, as lock.All does. Make each of them with [NewHeld]: the end of
// any of them ends the set, for the same reason. The set's contexts have the values of the first
// one's context. Set.Multi returns recipe.ErrNotHeld. Set.Release releases all of them.
//
// To test a lock.Config.OnRevoke, call it with one of Set.Held. NewSet panics if one of the locks
// is nil, or is given twice.
func NewSet(first *lock.Held, more ...*lock.Held) *lock.Set {
	all := append([]*lock.Held{first}, more...)
	for i, h := range all {
		if h == nil || slices.Contains(all[:i], h) {
			panic(fmt.Sprintf("recipetest: NewSet was given nil, or one lock twice, as number %d of %d", i+1, len(all)))
		}
	}
	return testhook.NewSet(all).(*lock.Set)
}

// NewPermit is NewTerm for one permit of a semaphore, with those slots, or with none. It ends with
// its release, too. It counts for as many permits as it has slots. NewPermit panics if a slot is
// negative, or is given twice.
func NewPermit(ctx context.Context, slots ...int) (permit *semaphore.Permit, end func(recipe.Reason)) {
	for i, slot := range slots {
		if slot < 0 || slices.Contains(slots[:i], slot) {
			panic(fmt.Sprintf("recipetest: NewPermit was given the slots %v; want different ones that are not negative", slots))
		}
	}
	p, end := testhook.NewPermit(ctx, tokens.Add(1), slots)
	return p.(*semaphore.Permit), end
}

// NewListing is NewTerm for the listing of a member of a group. Work that others hand out to that
// member belongs to the listing.
func NewListing(ctx context.Context) (listing *group.Listing, end func(recipe.Reason)) {
	l, end := testhook.NewListing(ctx, tokens.Add(1))
	return l.(*group.Listing), end
}

// NewRound is NewTerm for a round of a double barrier. It has no others, so its Leave ends it and
// returns at once.
func NewRound(ctx context.Context) (round *barrier.Round, end func(recipe.Reason)) {
	r, end := testhook.NewRound(ctx)
	return r.(*barrier.Round), end
}

// NewSnapshot returns a group as it was so long ago, with these members in the order in which they
// joined. Its Age grows. A literal of a [group.Snapshot] would be infinitely old. Give the entries
// tokens that differ: by them [group.Snapshot.Since] tells one member from another.
func NewSnapshot(age time.Duration, members ...group.Entry) group.Snapshot {
	return testhook.NewSnapshot(age, members).(group.Snapshot)
}

// NewClient returns a client of an ensemble in this process, and the ensemble. It has one server
// and no znodes. Both are closed when the test ends. Inside a bubble of testing/synctest they use
// its time. The client's host is "client": by that name [zktest.Match] knows its requests, and
// [zktest.Ensemble.Host] its network. Its Config has the defaults. The server's tick is 2 s, so it
// grants session timeouts of 4 s to 40 s. Make any recipe with the client, as the program does. The
// test can make the ensemble lose an answer, or end the session. For another client, call
// session.Open with the ensemble's ConnectString, and with the [zktest.Host.Dial] of another host
// in its Config. Without that Dial it looks for the servers on the machine's network, where they
// are not.
func NewClient(t zktest.TB) (*session.Client, *zktest.Ensemble) {
	t.Helper()
	e := zktest.Start(t, zktest.Config{InMemory: true, Tick: 2 * time.Second})
	client, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("client").Dial})
	if err != nil {
		t.Fatalf("recipetest: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	return client, e
}
