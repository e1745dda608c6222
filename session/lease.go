package session

import (
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A Lease is one period without a gap in which a place is held: no other session that keeps the
// rules takes the place. Every beat that checks the place extends the Lease. A Lease that has
// lapsed is never revived: a place that is held again gets a new Lease.
//
// All methods may be called from any goroutine.
type Lease struct {
	clock clock.Clock
	until atomic.Pointer[clock.Instant] // never nil
}

func newLease(c clock.Clock, until clock.Instant) *Lease {
	l := &Lease{clock: c}
	l.until.Store(&until)
	return l
}

// lapsed stands for the end of a lease that is over for good.
var lapsed = new(clock.Instant)

// Valid reports whether the lease runs at this moment. Call it before every unit of work: it costs
// a load and two clock reads, and allocates nothing.
func (l *Lease) Valid() bool { return l.Remaining() > 0 }

// Remaining returns how long the lease runs from now on if nothing extends it. It returns zero if
// the lease is over.
func (l *Lease) Remaining() time.Duration {
	for {
		until := l.until.Load()
		rest := until.Until(l.clock.Now())
		// Once a caller has seen that the lease is over, no caller may see it run.
		if rest > 0 {
			return rest
		}
		if until == lapsed || l.until.CompareAndSwap(until, lapsed) {
			return 0
		}
	}
}

// Deadline returns the wall time at which the lease ends if nothing extends it. It is for display
// and for other processes. For decisions use Valid or Remaining.
func (l *Lease) Deadline() time.Time { return l.clock.Wall().Add(l.Remaining()) }

// extend moves the end of a lease that is not over, and reports whether the lease still runs.
func (l *Lease) extend(until clock.Instant) (runs bool) {
	for {
		old := l.until.Load()
		if old == lapsed || old.Passed(l.clock.Now()) {
			return false
		}
		if old.Mono >= until.Mono && old.Boot >= until.Boot || l.until.CompareAndSwap(old, &until) {
			return true
		}
	}
}

// end lets the lease lapse now.
func (l *Lease) end() { l.until.Store(lapsed) }
