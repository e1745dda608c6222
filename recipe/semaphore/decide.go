package semaphore

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/session"
)

// A departure is one or more older permits that are gone. If their end was not announced, their
// processes may count them as held until their leases end: at over, at the latest.
type departure struct {
	number int64 // of the one permit, or line.NoNumber
	count  int64 // how many permits it may be
	over   clock.Instant
	asked  bool // the record was read after the departure was heard, and does not announce it
}

// standing is all that the decision about a permit depends on.
type standing struct {
	size, want int                 // of the semaphore, and of this permit
	older      int                 // older permits in a list that contains our own, not known to be gone
	gone       []departure         // older ones that are gone, and not known to be over
	beats      []session.Heartbeat // of the sessions of some of the older ones
	fresh      bool                // the size is watched, or was read less than a lease ago
	admitted   bool                // it has been handed out already
	armed      bool                // the server will tell of the own znode's deletion
	slotted    bool                // it has the slots that it needs, or needs none
	slotFree   clock.Instant       // until then no slot is free, unless something happens
	leased     bool                // a lease runs that is long enough
}

// action is what to do next about a permit.
type action int

const (
	actWait     action = iota // for an event, or for some time
	actAdmit                  // fewer than all permits can be held by older ones
	actRefuse                 // the semaphore has become too small for it
	actAsk                    // read the record
	actSlot                   // take slots
	actRenew                  // get a lease
	actTakeOver               // take over from the session of an older one
)

// String returns the action in words.
func (a action) String() string {
	return enum.Name(a, []string{"wait", "admit", "refuse", "ask", "slot", "renew", "take over"})
}

// never is a wait that only an event ends.
const never = time.Duration(1<<63 - 1)

// decision is what to do. For actWait it has the time after which to decide again. For
// actTakeOver it has the index of the heartbeat.
type decision struct {
	action action
	wait   time.Duration
	beat   int
}

// taken returns how many permits older ones may hold at now, and after what time one of those that
// are gone is over.
func (st standing) taken(now clock.Instant) (n int64, next time.Duration, unasked bool) {
	n, next = int64(st.older), never
	for _, d := range st.gone {
		if d.over.Reached(now) {
			continue
		}
		n += d.count
		next = min(next, max(d.over.Sub(now), time.Millisecond)) // the resolution of a clock must not make it wait longer
		unasked = unasked || !d.asked
	}
	return n, next, unasked
}

// decide returns what to do. A permit is admitted by its rank: when fewer than size older permits
// can still be held. Younger permits do not matter, because they count this one.
func decide(st standing, now clock.Instant) decision {
	if st.admitted {
		return decision{wait: never}
	}
	if st.want > st.size {
		return decision{action: actRefuse}
	}
	taken, next, unasked := st.taken(now)
	switch {
	case taken+int64(st.want) > int64(st.size) && unasked:
		return decision{action: actAsk}
	case taken+int64(st.want) > int64(st.size):
		return st.overtake(next)
	case !st.fresh:
		return decision{action: actAsk}
	case !st.armed:
		return decision{wait: never}
	case !st.slotted && !st.slotFree.Reached(now):
		return decision{wait: max(st.slotFree.Sub(now), time.Millisecond)}
	case !st.slotted:
		return decision{action: actSlot}
	case !st.leased:
		return decision{action: actRenew, wait: never}
	}
	return decision{action: actAdmit}
}

// overtake returns what to do about the older permits that still block.
func (st standing) overtake(wait time.Duration) decision {
	for i, heard := range st.beats {
		if heard.State >= session.HeartbeatSilent {
			return decision{action: actTakeOver, beat: i}
		}
	}
	return decision{wait: wait}
}
