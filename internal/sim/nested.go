package sim

import (
	"context"
	"errors"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// Holders acquire again what they hold. If the lock is Reentrant, that succeeds at once, and the
// lock is held until the last has released it, whichever that is.

// nests acquires a lock again under the context of what is held, now and then. The first to be
// released may be either.
func (c *contender) nests(l *lock.Lock, h *lock.Held, id string, read bool) {
	if c.rng.Intn(5) > 0 {
		return
	}
	ctx := h.Context()
	if c.rng.Intn(3) == 0 {
		err := l.Do(ctx, func(_ context.Context, again *lock.Held) error {
			c.nested(l, h, again, id, read)
			return nil
		})
		c.nestedErr(h, err)
		return
	}
	acquire := l.Acquire
	if c.rng.Intn(2) == 0 {
		acquire = l.TryAcquire
	}
	again, err := acquire(ctx)
	c.nestedErr(h, err)
	if err != nil {
		return
	}
	c.nested(l, h, again, id, read)
	again.Release(c.now())
	if !read {
		return
	}
	writer, err := c.rw.Write().TryAcquire(ctx)
	if err == nil {
		writer.Release(c.now())
	}
	if goesOn(h) && !errors.Is(err, lock.ErrUpgrade) {
		c.p.w.check.report("nested", "%s reads and acquires the lock for writing: %v; want ErrUpgrade", id, err)
	}
}

// nested holds a lock twice, and releases one.
func (c *contender) nested(l *lock.Lock, h, again *lock.Held, id string, read bool) {
	if again.Node() != h.Node() { // h has ended before, so this is another contender
		c.p.w.locks.began(c.p, l.Path(), id+", again", again, read, false)
		return
	}
	c.p.w.locks.heldAgain(l.Path(), h, again)
	first, last := again, h
	if c.rng.Intn(2) == 0 {
		first, last = h, again
	}
	c.p.rest(h.Context(), c.rng, 300*time.Millisecond)
	first.Release(c.now())
	c.stillHeld(last, id)
	c.p.rest(last.Context(), c.rng, 300*time.Millisecond)
	c.stillHeld(last, id)
}

// stillHeld demands that the release of one of two has not ended the other. The holder may have
// been told to let go, and then h is released at any time.
func (c *contender) stillHeld(h *lock.Held, id string) {
	if cause := context.Cause(h.Context()); errors.Is(cause, recipe.ReasonReleased) && !closed(c.p.w.locks.told(h)) {
		c.p.w.check.report("nested", "%s holds a lock twice, and the release of one has ended the other: %v", id, cause)
	}
}

// nestedErr demands that a lock that is held was acquired again at once, or refused for the right
// reason.
func (c *contender) nestedErr(h *lock.Held, err error) {
	switch {
	case !goesOn(h):
	case c.reentrant && err != nil, !c.reentrant && !errors.Is(err, lock.ErrNested):
		c.p.w.check.report("nested", "%s, Reentrant %v, acquires again what it holds: %v", c.p.name, c.reentrant, err)
	}
}

// goesOn reports whether what is held has not ended, nor is about to.
func goesOn(h *lock.Held) bool { return h.Valid() && h.Context().Err() == nil }

// now is a context that is over: a release does not wait for the deletion.
func (c *contender) now() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// heldAgain is called when a lock was acquired under the context of what is held. It is one
// holding, until all are released.
func (c *lockChecker) heldAgain(path string, h, again *lock.Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.record(path).helds {
		if r.Held == h {
			r.again = append(r.again, again)
			r.over = r.over && !again.Valid() // h may have been released just now
		}
	}
}

// Valid reports whether any of them is.
func (h *heldRecord) Valid() bool {
	for _, again := range h.again {
		if again.Valid() {
			return true
		}
	}
	return h.Held.Valid()
}

// Remaining is that of the holding.
func (h *heldRecord) Remaining() time.Duration {
	rest := h.Held.Remaining()
	for _, again := range h.again {
		rest = max(rest, again.Remaining())
	}
	return rest
}
