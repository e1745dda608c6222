package session

import (
	"errors"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A Hold keeps the session's lease renewed. It names an ephemeral znode of the
// session, which the renewals check; any one will do for the whole session, so a
// thousand Holds cost no more than one. Renewals cost 8 quorum writes per session
// timeout while there is at least one Hold, and nothing when there is none.
type Hold struct {
	s    *Session
	path string
	wake chan<- struct{}
	err  error // guarded by s.mu: why the znode cannot be checked
}

// Hold begins to renew the session's lease by checking the session's own znode at
// path. The wake channel gets a signal when a lease begins or is cut short, and when a
// renewal finds the znode gone; it should have room for one. Release ends it.
func (s *Session) Hold(path string, wake chan<- struct{}) *Hold {
	h := &Hold{s: s, path: path, wake: wake}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
	signal(s.wake)
	return h
}

// Release ends the Hold. It may be called more than once.
func (h *Hold) Release() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.holds = without(h.s.holds, h) // the next renewal finds that out
}

// without takes x out of a list whose order does not matter. The list may be long, so
// that nothing but its last element moves.
func without[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		last := len(list) - 1
		list[i] = list[last]
		clear(list[last:])
		list = list[:last]
	}
	return list
}

// Err returns why the znode could not be checked: zk.ErrNoNode when it is gone,
// zk.ErrNoAuth when its ACL forbids us to read it. Such a Hold renews nothing.
func (h *Hold) Err() error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return h.err
}

// Lease returns the session's lease if one runs now, or nil.
func (s *Session) Lease() *Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil && s.lease.Valid() {
		return s.lease
	}
	return nil
}

// The pace of renewals, in parts of T.
const (
	renewEvery   = 8  // in steady state
	renewQuickly = 32 // bursts of two, while there is no lease or it is about to end
	leaseIsShort = 4  // what counts as about to end
	renewalLost  = 8  // a renewal unanswered for so long means that this server is no good
	moveEvery    = 4  // moves to another server are this far apart at least
)

// renewals is the state of the renewal loop. It is owned by Session.run.
type renewals struct {
	pending    bool          // one is outstanding
	connection uint64        // the connection it belongs to
	started    clock.Instant // when the last one was started
	previous   clock.Instant // and the one before
	patience   time.Duration // how long to wait for the outstanding one, jitter included
	moved      clock.Instant // when the connection was last given up for a slow one
	turn       int           // which Hold's znode is checked next
}

// renew starts a renewal if one is due, and gives up the connection if one is overdue.
// It returns after what time to look again; a wake-up may come earlier.
func (s *Session) renew(now clock.Instant, r *renewals) time.Duration {
	s.mu.Lock()
	if s.renewalEnded {
		s.renewalEnded, r.pending = false, false
	}
	T, connected, connection, conn := s.timeout, s.state == Connected, s.connection, s.conn
	deadline, soon := s.proof.Deadline(), s.renewSoon
	s.mu.Unlock()

	if !connected {
		return forever // the next connection wakes the loop
	}
	if r.pending {
		if r.connection != connection {
			// It was queued while there was no connection: its time runs from now.
			r.connection, r.started = connection, now
		}
		overdue := r.started.Add(r.patience)
		if !overdue.Passed(now) {
			return overdue.Until(now)
		}
		if again := r.moved.Add(T / moveEvery); !r.moved.IsZero() && !again.Passed(now) {
			return again.Until(now)
		}
		r.moved = now
		s.drop(conn, errSlowRenewal)
		return forever
	}
	due := r.started.Add(T / renewEvery)
	quick := r.previous.Add(T / renewQuickly)
	if short := deadline.Add(-T / leaseIsShort); soon || short.Passed(now) {
		due = quick
	} else {
		due = earlier(due, short)
	}
	if !r.started.IsZero() && !due.Passed(now) {
		return due.Until(now)
	}
	h := s.nextHold(r)
	if h == nil {
		return forever // a new Hold wakes the loop
	}
	r.pending, r.connection = true, connection
	r.previous, r.started = r.started, now
	r.patience = T/renewalLost + time.Duration(s.clock.Random()*float64(T/renewQuickly))
	s.calls.Go(func() { s.renewOnce(h) })
	return r.patience
}

func earlier(a, b clock.Instant) clock.Instant {
	if a.Mono < b.Mono {
		return a
	}
	return b
}

// nextHold returns the Holds that can be checked in turn, or nil.
func (s *Session) nextHold(r *renewals) *Hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewSoon = false
	for range s.holds {
		r.turn++
		if h := s.holds[r.turn%len(s.holds)]; h.err == nil {
			return h
		}
	}
	return nil
}

// renewOnce makes one renewal. That it has succeeded, and when, the lease learns
// from the wire.
func (s *Session) renewOnce(h *Hold) {
	full, err := s.full(h.path)
	begun := s.clock.Now()
	if err == nil {
		_, err = s.zk.Multi(&zk.CheckVersionRequest{Path: full, Version: -1})
		s.observe(err)
	}
	if err == nil {
		s.counts.renewed(s.clock.Now().Sub(begun))
	} else {
		s.counts.failedRenewals.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrInvalidPath) {
		h.err = err
		signal(h.wake)
	}
	s.renewalEnded = true
	s.renewSoon = s.renewSoon || err != nil
	signal(s.wake)
}

// proved brings the lease in line with the proof. The caller holds s.mu.
func (s *Session) proved() {
	until := s.proof.Deadline()
	if s.over {
		return
	}
	var runs, cut bool
	if s.lease != nil {
		runs, cut = s.lease.extend(until)
	}
	if runs && !cut {
		return
	}
	if !runs {
		if until.Passed(s.clock.Now()) {
			return
		}
		s.lease = newLease(s.clock, until)
	}
	for _, h := range s.holds {
		signal(h.wake)
	}
}

// errSlowRenewal is why a connection was given up.
var errSlowRenewal = errors.New("a renewal was not answered in time")
