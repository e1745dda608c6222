package zktest

import "time"

// tracker decides when sessions expire. Only the ZooKeeper leader has one; what it holds beyond the
// list of sessions dies with its leadership.
type tracker struct {
	tick     time.Duration
	phase    time.Duration // where this leader's buckets lie on the clock
	next     time.Duration // end of the bucket that is taken next
	taken    []int64       // sessions of the last one, which are still to be closed
	sessions map[int64]*session
}

type session struct {
	id      int64
	timeout time.Duration
	expires time.Duration // end of its bucket
	closing bool          // its closeSession is under way
	owner   any           // where its client is attached: see server.owner
}

// bucket rounds an instant up to the end of the bucket that it is in, as ZooKeeper's ExpiryQueue
// does: an instant on the boundary belongs to the next bucket.
func (t *tracker) bucket(at time.Duration) time.Duration {
	into := (at + t.phase) % t.tick
	if into < 0 { // a clock that has been set back
		into += t.tick
	}
	return at - into + t.tick
}

// track starts a session, or touches one that is known already.
func (t *tracker) track(id int64, timeout, now time.Duration) {
	s := t.sessions[id]
	if s == nil {
		s = &session{id: id, timeout: timeout}
		t.sessions[id] = s
	}
	s.expires = t.bucket(now + timeout)
}

// touch extends a session by timeout from now. It says no for a session that is unknown or closing.
func (t *tracker) touch(id int64, timeout, now time.Duration) bool {
	s := t.sessions[id]
	if s == nil || s.closing {
		return false
	}
	s.timeout = timeout
	s.expires = t.bucket(now + timeout)
	return true
}

// check refuses requests of sessions that are over, and of clients that are not attached where the
// session was last heard of. The first request after a change of leaders decides where that is.
func (t *tracker) check(id int64, owner any) Code {
	s := t.sessions[id]
	switch {
	case s == nil || s.closing:
		return CodeSessionExpired
	case s.owner == nil:
		s.owner = owner
	case s.owner != owner:
		return CodeSessionMoved
	}
	return CodeOK
}

func (t *tracker) setOwner(id int64, owner any) {
	if s := t.sessions[id]; s != nil && !s.closing {
		s.owner = owner
	}
}

func (t *tracker) setClosing(id int64) {
	if s := t.sessions[id]; s != nil {
		s.closing = true
	}
}

// take takes the next bucket, if it has ended: its sessions, in order of their ids, are going to be
// closed, whatever is heard of them until then. Buckets are taken one by one. One that a clock
// which was set back has filled again is never taken.
func (t *tracker) take(now time.Duration) bool {
	if now < t.next {
		return false
	}
	for _, id := range sortedKeys(t.sessions) {
		if s := t.sessions[id]; !s.closing && s.expires == t.next {
			t.taken = append(t.taken, id)
		}
	}
	t.next += t.tick
	return true
}
