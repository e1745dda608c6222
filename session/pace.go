package session

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Parts of D.
const (
	beatEvery = 4  // between the beginnings of two beats that check the same place
	beatFresh = 8  // a place that was checked within this part of D is not checked again
	beatRetry = 32 // after a beat that failed
	beatLost  = 4  // if a beat is not answered for this long, the session moves to another server
	dialRound = 2  // a round of attempts at all servers, while a lease runs
	dialPause = 4  // between two rounds of attempts, for a session that holds places
)

// pace tells when to beat and when to give up a connection. The session's mu guards it.
type pace struct {
	pending  bool          // a beat was under way at the latest call of next
	begun    clock.Instant // when next said to make the latest beat
	patience time.Duration // how long a beat may take after moves to other servers; 0: D/4
}

// beating is what pace needs to know.
type beating struct {
	connected bool
	pending   bool          // a beat is under way
	wanted    bool          // there is a place to beat for, a create waits, or the version of the heartbeat is not known
	soon      bool          // somebody waits for a beat
	failed    bool          // the latest beat failed
	oldest    clock.Instant // the earliest of the places' latest checks: when its beat began
	lease, T  time.Duration
}

// A step is what pace says to do.
type step int

const (
	stepWait step = iota
	stepBeat
	stepMove // to another server
)

// next returns what to do now, and how long to wait before the next call. A wake-up may come
// earlier.
func (p *pace) next(now clock.Instant, b beating) (step, time.Duration) {
	if p.pending && !b.pending { // it has ended
		p.pending = false
		if !b.failed {
			p.patience = min(p.patience, 2*now.Sub(p.begun)) // the ensemble is no slower than that
		}
	}
	if !b.connected {
		return stepWait, forever // the next connection wakes the loop
	}
	if p.pending {
		return p.await(now, b)
	}
	if !b.wanted {
		return stepWait, forever // a new Hold wakes the loop
	}
	due := p.begun.Add(b.lease / beatRetry)
	switch every := b.oldest.Add(b.lease / beatEvery); {
	case b.failed:
	case b.soon:
		due = now
	case every.Mono > due.Mono:
		due = every
	}
	if !p.begun.IsZero() && !due.Passed(now) {
		return stepWait, due.Until(now)
	}
	p.pending, p.begun = true, now
	return stepBeat, p.longest(b)
}

// longest returns how long a beat may take now.
func (p *pace) longest(b beating) time.Duration { return max(p.patience, b.lease/beatLost) }

// await gives up a connection on which a beat is not answered in time. A second connection may
// still save the lease, so it gets as little time as the first. After that the session moves less
// and less often: the ensemble as a whole may be slow, and after each move it has to set all
// watches again. In the end a beat gets as long as the watchdog gives any connection. So where a
// session without places stays connected, one with places does, too, although after a move its beat
// takes two round trips.
func (p *pace) await(now clock.Instant, b beating) (step, time.Duration) {
	overdue := p.begun.Add(p.longest(b))
	if !overdue.Passed(now) {
		return stepWait, overdue.Until(now)
	}
	p.patience = min(max(2*p.patience, b.lease/beatLost), b.T*2/3)
	return stepMove, forever
}
