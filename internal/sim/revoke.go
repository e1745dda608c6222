package sim

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Contenders ask the holder of a lock to let go. The holder then stops, or releases the lock at
// once. The holder of several locks at once stops if it is asked for any of them.

// revocation is what Lock.Revoke writes.
const revocation = "__REVOKE__"

// asking is what is known of the requests to let go of what one znode stands for.
type asking struct {
	since time.Time // when the first was written; zero for none
	told  chan struct{}
	sets  []chan struct{} // each is closed when one of a set is told, and this is one of them
}

// asking returns what is known of a znode. The caller holds c.mu.
func (c *lockChecker) asking(node string) *asking {
	a := c.askings[node]
	if a == nil {
		a = &asking{told: make(chan struct{})}
		c.askings[node] = a
	}
	return a
}

// written sees what is written into the znodes of contenders.
func (c *lockChecker) written(ch zktest.Change) {
	if ch.Op != zktest.OpSetData || string(ch.Data) != revocation {
		return
	}
	if a := c.asking(ch.Path); a.since.IsZero() {
		a.since = time.Now()
		c.logf("the holder of %s is asked to let go", ch.Path)
	}
}

// revoked is called when a holder is told to let go.
func (c *lockChecker) revoked(h *lock.Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.asking(h.Node())
	switch {
	case a.since.IsZero():
		c.report("revoke", "the holder of %s is told to let go, and nobody has asked", h.Node())
	case closed(a.told):
		c.report("revoke", "the holder of %s is told twice to let go", h.Node())
	default:
		close(a.told)
		for _, set := range a.sets {
			closeOnce(set)
		}
	}
}

func closeOnce(ch chan struct{}) {
	if !closed(ch) {
		close(ch)
	}
}

// told returns what is closed when the holder is told to let go of one of these.
func (c *lockChecker) told(helds ...*lock.Held) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := make(chan struct{})
	for _, h := range helds {
		a := c.asking(h.Node())
		a.sets = append(a.sets, told)
		if closed(a.told) {
			closeOnce(told)
		}
	}
	return told
}

// stops is called when the work of a holder has stopped, before it releases what it holds. A holder
// whose lease goes on hears from the servers, so it must have been told after a while.
func (c *lockChecker) stops(begun time.Time, helds ...*lock.Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range helds {
		a := c.asking(h.Node())
		if a.since.IsZero() || closed(a.told) || !h.Valid() {
			continue
		}
		since := begun
		if a.since.After(since) {
			since = a.since
		}
		if late := time.Since(since); late > c.hears() {
			c.report("revoke", "the holder of %s was asked to let go at %v, and is not told %v later",
				h.Node(), a.since.Sub(c.begin), late)
		}
	}
}

// hears is how long it may take until a holder that holds on is told. Its connection may break
// meanwhile.
func (c *lockChecker) hears() time.Duration {
	if c.undisturbed {
		return time.Second
	}
	return c.timeout + 2*c.lease
}

// onRevoke is a [lock.Config.OnRevoke].
func (p *proc) onRevoke(h *lock.Held) {
	p.w.locks.revoked(h)
	if h.Token()%2 == 0 { // the others stop by themselves
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Release(ctx)
	}
}

// askToLetGo asks the holder to release the lock.
func (c *contender) askToLetGo(ctx context.Context, l *lock.Lock) {
	bounded, cancel := c.p.within(ctx, c.rng, 3*time.Second)
	defer cancel()
	if err := l.Revoke(bounded); err != nil && bounded.Err() == nil && c.p.w.check.undisturbed {
		c.p.w.check.report("run", "%s asks the holder of %s to let go: %v", c.p.name, l.Path(), err)
	}
}

// holdsOn holds what it does until it is told to let go, but not for ever.
func (c *contender) holdsOn(ctx context.Context, told <-chan struct{}) {
	bounded, cancel := clock.WithTimeout(ctx, c.p.clock, c.p.w.locks.hears()+3*time.Second)
	defer cancel()
	select {
	case <-told:
		c.p.rest(bounded, c.rng, time.Second)
	case <-bounded.Done():
	}
}
