package group

import (
	"context"
	"maps"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// MemberStatus is the state of a member at one moment.
type MemberStatus struct {
	// Path is the group's, ID the member's, Node that of its znode.
	Path, ID, Node string
	// Listed is whether it knows that it is listed. Since is when Listed changed last.
	Listed bool
	Since  time.Time
	// Session, Token and LeaseRemaining are of the present listing, 0 without one. LeaseRemaining
	// is 0 with [Config.NoLease], too.
	Session        int64
	Token          int64
	LeaseRemaining time.Duration
	// Listings is how many listings have begun. Znodes is how many different znodes they had. Each
	// after the first followed an interruption.
	Listings, Znodes uint64
	// Ended is how many listings are over, by reason. LastReason is that of the latest, 0 before.
	Ended      map[recipe.Reason]uint64
	LastReason recipe.Reason
	// Failed is how many attempts to be listed failed, and how often there was no session for long.
	Failed uint64
	// EventsDropped is how many events subscribers have not taken, Config.OnEvent included.
	EventsDropped uint64
	// Err is what went wrong last, nil while it is listed.
	Err error
	// Over is why the membership is over, nil while it is not.
	Over error
}

// Status returns the present state of the member. It never blocks.
func (m *Member) Status() MemberStatus {
	m.mu.Lock()
	st, l := m.status, m.listing
	st.Ended, st.Err = maps.Clone(st.Ended), m.failure
	m.mu.Unlock()
	st.Path, st.ID, st.Node, st.EventsDropped = m.dir, m.cfg.ID, m.node, m.events.Dropped()
	st.Over = context.Cause(m.ctx)
	switch {
	case !st.Listed:
	case l != nil && l.Context().Err() == nil:
		st.LeaseRemaining = l.Remaining()
	default: // just now; its event follows
		st.Listed, st.Since, st.Session, st.Token = false, m.clock.Wall(), 0, 0
	}
	return st
}

// count takes an event of this moment into the status. The caller holds m.mu.
func (m *Member) count(e *Event) {
	e.Time = m.clock.Wall()
	st := &m.status
	switch e.Kind {
	case EventListed:
		st.Listings++
		if e.Token != m.counted {
			st.Znodes++
		}
		m.counted = e.Token
		st.Listed, st.Since, st.Session, st.Token = true, e.Time, e.Session, e.Token
	case EventUnlisted:
		st.Ended[e.Reason]++
		st.Listed, st.Since, st.Session, st.Token, st.LastReason = false, e.Time, 0, 0, e.Reason
	case EventFailed:
		st.Failed++
	}
}

// MembersStatus is the state of a [Members] at one moment.
type MembersStatus struct {
	// Path is the group's.
	Path string
	// Known is whether there is a snapshot. Members is how many members the latest one has.
	Known   bool
	Members int
	// AsOf and Age are those of the latest snapshot. Proved is whether proofs are made all the
	// time, so that an Age above a few times [Config.Prove] tells of a failure.
	AsOf   time.Time
	Age    time.Duration
	Proved bool
	// Joined and Left are how many members have come and gone since the first snapshot. A member
	// with a new znode has gone and come.
	Joined, Left uint64
	// Err is what went wrong last, nil since the latest snapshot.
	Err error
	// Over is why the group is not followed any more, nil while it is.
	Over error
}

// Status returns the present state of the Members. It never blocks.
func (m *Members) Status() MembersStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := MembersStatus{
		Path: m.path, Known: m.known, Members: len(m.now.Members), AsOf: m.now.AsOf, Proved: m.prove > 0,
		Joined: m.joined, Left: m.left, Err: m.failure, Over: m.err,
	}
	if m.known {
		st.Age = m.now.Age()
	}
	return st
}
