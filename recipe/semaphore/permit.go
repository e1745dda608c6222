package semaphore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
)

// Permit is one permit, or several that were acquired at once, from the acquisition to its end. It
// ends once, for one reason. Any number of goroutines may use it, also after its end.
type Permit struct {
	sem   *Semaphore
	life  *life.Life
	place *place
	claim *claims.Claim
	held  *held.Held

	released atomic.Bool
	letGo    chan struct{} // closed when it is released
	left     chan struct{} // closed when the znodes are gone, or when only the session's end will delete them
	late     atomic.Bool   // it was given away before it was released
}

// Context is cancelled when the permit is over; context.Cause tells why, as a [*recipe.EndedError].
// It has the values of the context that Acquire was given, and does not end with that. If the lease
// runs out, it is cancelled StopBefore earlier, which is the time for work in progress to stop. In
// a process that was paused past the end, the first call of its Err already returns the error. A
// context derived from it (context.WithTimeout, errgroup.WithContext) ends by a timer, which may be
// late in such a process. So work under a derived context has to ask Valid before each unit of
// work.
func (p *Permit) Context() context.Context { return p.held.Context() }

// DrainContext is for a unit of work that is in progress when Context ends and should be finished.
// If the end was our own choice ([recipe.Reason.Chosen]: the context of Do has ended, or the client
// was closed), the permit is kept while the work stops. DrainContext goes on meanwhile. It ends
// when the permit is released, when DrainTimeout has passed, or StopBefore before the end of the
// lease. No other permit of this library takes its place or its slots before it ends. If the permit
// is lost, DrainContext ends as soon as that is known here, also while the work stops.
//
// Begin no new work under it: Valid is false, and another may be waiting. Its cause is an
// [*recipe.EndedError], too. In a process that was paused, it and contexts derived from it behave
// as Context does.
func (p *Permit) DrainContext() context.Context { return p.held.DrainContext() }

// Valid reports whether the permit is held at this moment: at most size permits of this library
// are. Call it before every unit of work: it costs no more than a few readings of a clock.
func (p *Permit) Valid() bool { return !p.released.Load() && p.held.Valid() }

// Remaining returns how long the permit is held if nothing extends its lease; zero when it is not.
func (p *Permit) Remaining() time.Duration {
	if p.released.Load() {
		return 0
	}
	return p.held.Remaining()
}

// Deadline returns when the lease ends if nothing extends it, by the wall clock: for display and
// for other processes. To decide whether to begin some work, see Remaining.
func (p *Permit) Deadline() time.Time { return p.held.Deadline() }

// Token is the fencing token. With [Config.Slots] it is that of the permit's slots. It is larger
// than the tokens of all permits that had these slots before, as long as the ensemble keeps its
// data. Without slots it identifies the permit, but cannot fence: several permits may be held, and
// the one with the smaller token may be held, too. If the size is 1, it is larger than that of
// every earlier holder.
func (p *Permit) Token() int64 { return p.held.Token() }

// Node is the path of the permit's znode, or of the first of several.
func (p *Permit) Node() string { return p.held.Node() }

// N is how many permits it counts for: what AcquireN was asked for.
func (p *Permit) N() int { return len(p.place.paths) }

// Multi carries out ZooKeeper operations, all or none, if the permit's znodes still exist at that
// moment: it is never carried out when others may have the permit. The operations are zk's; the
// results are theirs. The error is [recipe.ErrNotHeld] when the permit is over and
// [Permit.DrainContext] has ended. Then nothing was done. See [session.OutcomeOf] for other errors.
//
// If the outcome is unknown, the operations may still be carried out as long as the znodes exist,
// even after later ones of the same holder. Give SetDataRequest the version that was read: then a
// late write changes nothing that was written since.
func (p *Permit) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if p.released.Load() {
		return nil, recipe.ErrNotHeld
	}
	checks := p.place.checks()[1:] // the first is there anyway
	results, err := p.held.Multi(ctx, append(checks, ops...)...)
	if len(results) < len(checks) {
		return nil, err
	}
	if errors.Is(err, zk.ErrNoNode) && failed(results) < len(checks) {
		return nil, recipe.ErrNotHeld
	}
	return results[len(checks):], err
}

// Slot returns the permit's slot, or the first of several. Without [Config.Slots] its number is -1.
func (p *Permit) Slot() Slot {
	if slots := p.Slots(); len(slots) > 0 {
		return slots[0]
	}
	return Slot{p, -1}
}

// Slots returns the permit's slots, in order: as many as it counts for, or none without
// [Config.Slots].
func (p *Permit) Slots() (all []Slot) {
	for _, i := range p.place.taking.slots {
		all = append(all, Slot{p, i})
	}
	return all
}

// Slot is one of the numbers from 0 to the semaphore's size less 1. Two valid permits never have
// the same slot at one instant.
type Slot struct {
	permit *Permit
	number int
}

// Number is the slot's.
func (s Slot) Number() int { return s.number }

// Token is larger than that of every permit that had the slot before: what the slot stands for can
// refuse smaller ones.
func (s Slot) Token() int64 { return s.permit.Token() }

// Valid reports whether the slot is the permit's at this moment. Ask it before every use. Without
// Config.Slots it is never true.
func (s Slot) Valid() bool { return s.number >= 0 && s.permit.Valid() }

// Release says that the work has stopped, and releases the permit. Its znodes are deleted, and
// Release waits for that until ctx ends. If ctx ends first, the deletion goes on in the background,
// and the error is the cause of ctx. Release may be called more than once. Once the znodes are
// deleted, a ctx that has ended does not matter.
//
// If the permit was lost before, the error is a [*recipe.EndedError] that tells why, and Release
// does not wait.
func (p *Permit) Release(ctx context.Context) error {
	p.release()
	if lost := p.lost(); lost != nil {
		return lost
	}
	return tenure.Await(ctx, p.left)
}

// lost returns why it ended, if others may have had the permit before it was released.
func (p *Permit) lost() *recipe.EndedError {
	if e := p.held.Lost(); e != nil || !p.late.Load() {
		return e
	}
	return p.held.Ended()
}

func (p *Permit) release() {
	if p.released.CompareAndSwap(false, true) {
		p.held.End(recipe.ReasonReleased, nil)
		p.held.Finish()
		close(p.letGo)
	}
}

// keep keeps the permit until it has ended, and has been released or has outlasted DrainTimeout,
// and the znodes are gone.
func (p *Permit) keep() {
	defer p.life.End()
	defer close(p.left)
	defer p.claim.Over()
	s, sem := p.place.s, p.sem
	guard := tenure.Guard{
		Clock: sem.clock, Held: p.held,
		Failed: func(err error) { sem.often.Warn("cannot check the own znode", "err", err) }, // the lease decides
	}
	p.watch(guard)
	ended := p.held.Ended()
	p.claim.Ended(ended.Reason)
	sem.log.Log(context.Background(), tenure.LevelOf(ended.Reason), "ended", feed.WithErr(ended.Err, "session", feed.Hex(s.ID()), "node", p.Node(), "token", p.Token(), "reason", ended.Reason.String())...)
	sem.send(Event{Kind: EventEnded, Session: s.ID(), Node: p.Node(), Token: p.Token(), Reason: ended.Reason, Err: ended.Err})
	if !guard.Drain(s, p.place, p.letGo, sem.cfg.DrainTimeout) {
		p.late.Store(true)
		sem.log.Warn("a permit was not released in time; giving it away", "node", p.Node(), "waited", sem.cfg.DrainTimeout)
	}
	p.held.Finish()
	sem.leave(p.life.Context(), p.place)
}

// watch returns when the permit has ended.
func (p *Permit) watch(guard tenure.Guard) {
	ctx := p.life.Context()
	defer context.AfterFunc(ctx, func() { p.held.End(recipe.ReasonClosed, context.Cause(ctx)) })()
	soon, cancel := life.Within(p.held.Context(), p.sem.clock, p.place.s.LeaseTime()/listenAfter)
	p.place.teach(soon)
	cancel()
	guard.Until(p.held.Context(), p.place.s, p.place)
}

// stay.Leave leaves a place.
var _ stay.Place = (*place)(nil)
