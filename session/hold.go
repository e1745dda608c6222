package session

import (
	"slices"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// A Hold keeps a lease for a place: an ephemeral znode of the session that [Session.CreatePlace]
// has created. While there is at least one Hold, the session sets its heartbeat four times per D.
// Up to some 3,000 Holds do not change that. Each of these beats checks the places in the same
// transaction, and extends their leases. All methods may be called from any goroutine.
type Hold struct {
	s    *Session
	own  *Watch
	wake chan<- struct{}

	// Guarded by s.mu.
	lease *Lease
	kept  bool  // the session beats for it
	eager bool  // the next extension gives a signal
	sent  bool  // the beat under way checks it
	err   error // why the place cannot be held

	checked clock.Instant // when the latest beat that has checked it began

	// These never change.
	named bool  // another znode may get its name later
	czxid int64 // of the znode; 0 if it is not known
}

// Hold begins to keep a lease for the place that own watches. The caller should read own with
// [Watch.Get] when it is not armed: then it learns of a deletion at once, and not only at the next
// beat. The wake channel gets a signal when a lease begins, at the extension that [Hold.Renew]
// asked for, and when the place cannot be held any longer. Hold panics if the channel has no room
// for one signal. Release ends it.
func (s *Session) Hold(own *Watch, wake chan<- struct{}) *Hold {
	h := s.Reserve(own, wake)
	h.Keep()
	return h
}

// HoldNamed is [Session.Hold] for a znode whose name another znode may get later, such as one that
// is named after its owner. The znode is the one with that czxid. A check by its path would also
// succeed for another znode. So a beat counts for it only while own is armed and has shown this
// znode: the event of a deletion would have arrived before the beat's answer. Read own again after
// a reconnect. The heartbeat has to exist: see [Session.EnsureHeartbeat].
func (s *Session) HoldNamed(own *Watch, czxid int64, wake chan<- struct{}) *Hold {
	checkWake(wake)
	h := &Hold{s: s, own: own, wake: wake, named: true, czxid: czxid}
	s.mu.Lock()
	s.holds = append(s.holds, h)
	s.mu.Unlock()
	h.Keep()
	return h
}

// Reserve is [Session.Hold] for a place that needs no lease yet: the session does not beat for it,
// but a beat for other places may extend the lease of this one, too. [Hold.Keep] makes it an
// ordinary Hold. A place that a beat has created has the lease of that beat, see
// [Session.CreatePlaces].
func (s *Session) Reserve(own *Watch, wake chan<- struct{}) *Hold {
	checkWake(wake)
	h := &Hold{s: s, own: own, wake: wake}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, h)
	if b := s.ephemerals.paths[own.full]; !b.begun.IsZero() && !own.deleted && !s.over {
		h.checked, h.czxid = b.begun, b.zxid
		h.extend(b.begun.Add(s.leaseTime), s.clock.Now())
	}
	return h
}

// Czxid returns the czxid of the znode if a beat has created it, see [Session.CreatePlaces], or if
// it was given to [Session.HoldNamed]. It is 0 for other places: only a read can tell their czxid.
func (h *Hold) Czxid() int64 { return h.czxid }

// Places returns how many places the session holds or has reserved.
func (s *Session) Places() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.holds)
}

// Keep begins to beat for a place that was only reserved. It may be called more than once.
func (h *Hold) Keep() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if h.kept {
		return
	}
	h.kept = true
	if h.lease == nil || !h.lease.Valid() {
		h.beatSoon()
	}
	notify.Signal(h.s.wake)
}

// Release ends the Hold. A lease that runs is not extended any more, and lapses. Release may be
// called more than once.
func (h *Hold) Release() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.holds = without(h.s.holds, h)
}

// Renew asks for a beat at once, and for a signal when the lease is extended. A beat that is under
// way and checks the place is enough.
func (h *Hold) Renew() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.kept, h.eager = true, true
	h.beatSoon()
	notify.Signal(h.s.wake)
}

// beatSoon asks for a beat at once, if none is under way that can extend the lease. The caller
// holds s.mu.
func (h *Hold) beatSoon() { h.s.beatSoon = h.s.beatSoon || !h.sent || !h.seen() }

// Err returns why the place cannot be held: zk.ErrNoNode when its znode is gone, zk.ErrNoAuth when
// its ACL or that of the heartbeat forbids what is needed.
func (h *Hold) Err() error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return h.err
}

// Lease returns the place's lease if it runs now, else nil.
func (h *Hold) Lease() *Lease {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if h.lease != nil && h.lease.Valid() {
		return h.lease
	}
	return nil
}

// extend moves the end of the lease, or begins another lease. The caller holds s.mu.
func (h *Hold) extend(until, now clock.Instant) {
	if until.Passed(now) {
		return // the answer took longer than a lease
	}
	if h.lease == nil || !h.lease.extend(until) {
		h.lease, h.eager = newLease(h.s.clock, until), h.kept
	}
	if h.eager {
		h.eager = false
		notify.Signal(h.wake)
	}
}

// fail notes why the place cannot be held any longer. The caller holds s.mu.
func (h *Hold) fail(err error) {
	h.err = err
	notify.Signal(h.wake)
}

// without removes x from a list whose order does not matter. The list may be long, so only its last
// element moves.
func without[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		last := len(list) - 1
		list[i] = list[last]
		clear(list[last:])
		list = list[:last]
	}
	return list
}
