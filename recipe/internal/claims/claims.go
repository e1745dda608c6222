// Package claims keeps account of the calls of Acquire of a lock or a semaphore, for its Status. No
// function in it waits for anybody.
package claims

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// Book is the account of one lock or semaphore.
type Book struct {
	clock clock.Clock

	mu     sync.Mutex // guards what follows, and the claims; held for moments only
	open   map[*Claim]struct{}
	begun  uint64
	counts recipe.Counts
}

// New returns an empty one.
func New(c clock.Clock) *Book {
	return &Book{clock: c, open: map[*Claim]struct{}{}, counts: recipe.Counts{Ended: map[recipe.Reason]uint64{}}}
}

// Status returns the claims and the totals.
func (b *Book) Status() recipe.Status {
	st, open := b.copy()
	slices.SortFunc(open, func(x, y Claim) int { return cmp.Compare(x.number, y.number) })
	for _, c := range open {
		c.now.Running = c.running > 0
		if c.lease != nil {
			c.now.LeaseRemaining = c.lease.Remaining()
		}
		st.Claims = append(st.Claims, c.now)
	}
	return st
}

// copy returns the totals and copies of the claims, in any order.
func (b *Book) copy() (st recipe.Status, open []Claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.Counts = b.counts
	st.Counts.Ended = maps.Clone(b.counts.Ended)
	for c := range b.open {
		open = append(open, *c)
	}
	return st, open
}

// Lease is what a claim has to know of the lease of what it holds.
type Lease interface{ Remaining() time.Duration }

// Claim is one call of Acquire.
type Claim struct {
	book   *Book
	number uint64
	begun  clock.Instant // since then it waits or holds

	now     recipe.Claim
	lease   Lease // of what is held; nil before and after
	running int   // calls of Do whose functions have not returned
	over    bool
}

// Begin begins a claim.
func (b *Book) Begin() *Claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun++
	c := &Claim{book: b, number: b.begun, begun: b.clock.Now()}
	c.now.Since = b.clock.Wall()
	c.now.TryingSince = c.now.Since
	b.open[c] = struct{}{}
	return c
}

func (c *Claim) change(f func()) {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	f()
}

// Joined: it stands in line.
func (c *Claim) Joined(session int64, node string, position int) {
	c.change(func() {
		c.now.Session, c.now.Node, c.now.Position = session, node, position
		c.now.TryingSince, c.now.Err = time.Time{}, nil
	})
}

// Stands: position is how many are ahead. blocked: the next of them is a persistent znode.
func (c *Claim) Stands(position int, blocked bool, impaired error) {
	c.change(func() { c.now.Position, c.now.Blocked, c.now.Impaired = position, blocked, impaired })
}

// TookOver: it has taken over from a silent session ahead.
func (c *Claim) TookOver() { c.change(func() { c.book.counts.TookOver++ }) }

// Withheld: nobody is ahead, but a lease may run still.
func (c *Claim) Withheld() { c.change(func() { c.book.counts.Withheld++ }) }

// Failed: it does not stand in line, and tries again.
func (c *Claim) Failed(err error) {
	c.change(func() {
		c.book.counts.Failed++
		c.now.Session, c.now.Node, c.now.Position, c.now.Blocked, c.now.Impaired, c.now.Err = 0, "", 0, false, nil, err
		if c.now.TryingSince.IsZero() {
			c.now.TryingSince = c.book.clock.Wall()
		}
	})
}

// GaveUp: it ends without success.
func (c *Claim) GaveUp(busy bool) {
	c.change(func() {
		if busy {
			c.book.counts.Busy++
		} else {
			c.book.counts.GaveUp++
		}
		delete(c.book.open, c)
	})
}

// Held: it holds, after it has waited for that long.
func (c *Claim) Held(what recipe.Claim, lease Lease, waited time.Duration) {
	c.change(func() {
		add(&c.book.counts.Waited, waited)
		c.begun, c.lease, c.now = c.book.clock.Now(), lease, what
		c.now.State, c.now.Since = recipe.ClaimHeld, c.book.clock.Wall()
	})
}

// Ended: what it holds is over.
func (c *Claim) Ended(reason recipe.Reason) {
	c.change(func() {
		c.book.counts.Ended[reason]++
		add(&c.book.counts.Held, c.book.clock.Now().Sub(c.begun))
		c.lease = nil
		c.now.State, c.now.Since, c.now.Reason = recipe.ClaimEnding, c.book.clock.Wall(), reason
	})
}

// Over: the znode is gone, or given up.
func (c *Claim) Over() {
	c.change(func() {
		c.now.Session, c.now.Node, c.over = 0, "", true
		c.close()
	})
}

// Running: a function of the user runs under the claim, until done is called. Until then the claim
// is kept.
func (c *Claim) Running() (done func()) {
	c.change(func() {
		c.running++
		c.book.open[c] = struct{}{} // it may be over already
	})
	return func() {
		c.change(func() {
			c.running--
			c.close()
		})
	}
}

// close forgets the claim if nothing is left of it. The caller holds the book's mu.
func (c *Claim) close() {
	if c.over && c.running == 0 {
		delete(c.book.open, c)
	}
}

// add counts one more time of length d.
func add(t *recipe.Times, d time.Duration) {
	t.Count++
	t.Sum += d
	for i := range t.Within {
		if d <= time.Millisecond<<(2*i) {
			t.Within[i]++
		}
	}
}
