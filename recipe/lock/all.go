package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
)

// Set is several locks that are held together, by [All] or [InTurn]: all of them, or none. The Set
// ends when the first of them ends.
type Set struct {
	helds      []*Held
	ctx, drain setContext
}

// All acquires several locks, for reading or for writing. Each has another path, and all use one
// client. All joins all lines in one transaction. So two calls for the same locks never wait for
// each other, in any order of the arguments. While it waits for one lock, it stands in the lines of
// the others, and later contenders there wait, too.
//
// ctx and the errors are those of [Lock.Acquire]; on an error nothing is held. There is no nesting:
// under the context of a Held of one of the locks it returns [ErrNested] or [ErrUpgrade]. If
// somebody takes locks one by one with another library, a deadlock is possible: one of those waits
// for ours, and ours wait for another. [InTurn] is for such lines.
func All(ctx context.Context, locks ...*Lock) (*Set, error) {
	if err := checkAll(ctx, "All", locks); err != nil {
		return nil, err
	}
	l := life.Begin(context.WithoutCancel(ctx), locks[0].client, "locks from", locks[0].path, locks[0].cfg.ID)
	open := make([]*claims.Claim, len(locks))
	for i, one := range locks {
		open[i] = one.book.Begin()
	}
	first := &contender{Lock: locks[0], claim: open[0], values: ctx, life: l}
	win := func(ctx context.Context, last *life.Failure) (set *Set, err error) {
		defer l.End() // each of what is held has its own
		first.last = last
		err = first.again(ctx, func() (err error) {
			set, err = first.attemptAll(ctx, locks, open)
			first.claim = open[0]
			return err
		})
		if err != nil {
			for _, one := range open {
				one.GaveUp(false)
			}
		}
		return set, err
	}
	return life.Await(ctx, l, win, func(set *Set, left error) {
		if left == nil {
			return // each of the helds is kept already
		}
		for _, h := range set.helds {
			h.at.giveAway(left)
		}
	})
}

// checkAll checks what All or InTurn was given.
func checkAll(ctx context.Context, who string, locks []*Lock) error {
	if len(locks) == 0 {
		return fmt.Errorf("lock: %s was given no locks", who)
	}
	paths := map[string]bool{}
	for i, l := range locks {
		if l == nil {
			return fmt.Errorf("lock: %s was given a nil lock, number %d of %d", who, i+1, len(locks))
		}
		if l.client != locks[0].client {
			return fmt.Errorf("lock: %s was given locks of several clients; want one, because all or none are held", who)
		}
		if paths[l.path] {
			return fmt.Errorf("lock: %s was given two locks at %s", who, l.path)
		}
		paths[l.path] = true
		h, err := l.nested(ctx)
		if h != nil {
			h.Release(ctx)
			err = ErrNested
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// attemptAll joins each line once, and waits until all places are held. The claims are those of the
// locks.
func (c *contender) attemptAll(ctx context.Context, locks []*Lock, open []*claims.Claim) (_ *Set, err error) {
	defer func() {
		for _, one := range open[1:] { // that of the first fails elsewhere
			if err != nil {
				one.Failed(err)
			}
		}
	}()
	s, err := c.life.Session(ctx, c.noSession)
	if err != nil {
		return nil, err
	}
	all := make([]*contender, len(locks))
	cfgs := make([]line.Config, len(locks))
	for i, l := range locks {
		all[i] = &contender{Lock: l, claim: open[i], values: c.values, last: c.last}
		cfgs[i] = all[i].place()
	}
	stays, err := stay.EnterAll(ctx, s, cfgs)
	if err != nil {
		return nil, err
	}
	return c.waitAll(ctx, all, stays, open)
}

// waitAll waits until all places are held. If that fails, or one is lost meanwhile, all are left.
func (c *contender) waitAll(ctx context.Context, all []*contender, stays []*stay.Stay, open []*claims.Claim) (*Set, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	helds := make([]*Held, len(all))
	begun := c.clock.Now()
	var waiting sync.WaitGroup
	for i, one := range all {
		waiting.Go(func() {
			one.life = life.Begin(context.WithoutCancel(ctx), c.client, "lock", one.path, one.cfg.ID)
			one.joined(stays[i])
			at, err := one.wait(ctx, stays[i])
			if err != nil {
				giveUp(fmt.Errorf("%s: %w", one.path, err)) // not err itself: the others' znodes are there
				one.leave(ctx, stays[i], err == line.ErrGone)
				one.life.End()
				return
			}
			at.acquired(c.clock.Now().Sub(begun))
			helds[i] = at.first
			context.AfterFunc(at.Context(), func() { giveUp(at.Ended()) })
			go one.hold(at)
		})
	}
	waiting.Wait()
	if ctx.Err() == nil {
		return newSet(c.values, helds), nil
	}
	for i, h := range helds {
		if h != nil {
			h.Release(ctx) // in the background
			open[i] = all[i].book.Begin()
		}
	}
	return nil, context.Cause(ctx)
}

// newSet joins what is held. Its contexts have the values of ctx.
func newSet(ctx context.Context, helds []*Held) *Set {
	var contexts, drains []context.Context
	for _, h := range helds {
		ctx = context.WithValue(ctx, under{}, h.at.chain(ctx))
		contexts, drains = append(contexts, h.Context()), append(drains, h.DrainContext())
	}
	return &Set{helds, newSetContext(ctx, contexts), newSetContext(ctx, drains)}
}

// setContext ends with the first of several contexts, and has its cause. Its Err asks each of them,
// because timers are late in a process that was paused.
type setContext struct {
	context.Context
	cancel context.CancelCauseFunc
	of     []context.Context
}

func newSetContext(values context.Context, of []context.Context) setContext {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(values))
	c := setContext{inner, cancel, of}
	for _, one := range of {
		context.AfterFunc(one, c.check)
	}
	return c
}

func (c setContext) Err() error {
	c.check()
	return c.Context.Err()
}

func (c setContext) check() {
	for _, one := range c.of {
		if one.Err() != nil {
			c.cancel(context.Cause(one))
			return
		}
	}
}

// Held returns what is held, one for each of the locks in the order in which they were given. Each
// has a [Held.Token] of its own path. If one is released, the Set is over.
func (s *Set) Held() []*Held { return s.helds }

// Context is cancelled when one of the locks is not held any more; context.Cause tells why, as a
// [*recipe.EndedError]. See [Held.Context]. A context derived from it ends by a timer, which may be
// late in a process that was paused.
func (s *Set) Context() context.Context { return s.ctx }

// DrainContext is for a unit of work that is in progress when Context ends and should be finished.
// It ends with the first [Held.DrainContext] of the locks. So no other contender of this library
// has any of the locks before it ends. If one of the locks is lost or released, it ends at once,
// also if the others are kept.
//
// Begin no new work under it: Valid is false, and others may be waiting. See [Held.DrainContext].
func (s *Set) DrainContext() context.Context { return s.drain }

// Valid reports whether all locks are held at this moment. See [Held.Valid].
func (s *Set) Valid() bool { return s.Remaining() > 0 }

// Remaining returns how long all locks are held if nothing extends their leases; zero when one is
// not.
func (s *Set) Remaining() time.Duration {
	least := s.helds[0].Remaining()
	for _, h := range s.helds[1:] {
		least = min(least, h.Remaining())
	}
	return least
}

// Multi is [Held.Multi], if the znodes of all holders still exist at that moment. It works until
// [Set.DrainContext] has ended.
func (s *Set) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if !s.Valid() && s.drain.Err() != nil {
		return nil, recipe.ErrNotHeld
	}
	var guarded []any
	for _, h := range s.helds[1:] {
		guarded = append(guarded, &zk.CheckVersionRequest{Path: h.Node(), Version: -1})
	}
	n := len(guarded)
	results, err := s.helds[0].Multi(ctx, append(guarded, ops...)...)
	for i, r := range results {
		if i < n && errors.Is(r.Error, zk.ErrNoNode) {
			return nil, recipe.ErrNotHeld
		}
	}
	return results[min(n, len(results)):], err
}

// Release is [Held.Release] for all of them.
func (s *Set) Release(ctx context.Context) error {
	errs := make([]error, len(s.helds))
	var leaving sync.WaitGroup
	for i, h := range s.helds {
		leaving.Go(func() { errs[i] = h.Release(ctx) })
	}
	leaving.Wait()
	return errors.Join(errs...)
}
