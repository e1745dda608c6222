package session

import (
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A Lease is one unbroken stretch of time in which its session provably cannot
// expire, so that no ephemeral znode of it can go unless somebody deletes it. It is
// extended while renewals succeed. Once lapsed it stays so: a session that wins its
// proof back gets a new Lease.
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

// Valid reports whether the lease runs at this moment. It costs a load and two clock
// reads and allocates nothing: call it before every unit of work.
func (l *Lease) Valid() bool { return !l.until.Load().Passed(l.clock.Now()) }

// Remaining returns how long the lease runs from now on if nothing extends it; zero or
// less when it is over.
func (l *Lease) Remaining() time.Duration { return l.until.Load().Until(l.clock.Now()) }

// Deadline returns the civil time at which the lease ends if nothing extends it. It
// is for display and for other processes; decide by Valid or Remaining.
func (l *Lease) Deadline() time.Time { return l.clock.Wall().Add(l.Remaining()) }

// set moves the end and reports whether that was forward.
func (l *Lease) set(until clock.Instant) (forward bool) {
	return l.until.Swap(&until).Reached(until)
}

// end lets the lease lapse now.
func (l *Lease) end() { l.until.Store(&clock.Instant{}) }
