package line

import (
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/session"
)

// A departure is a znode ahead that is gone. If its candidate has not announced the departure, it
// may count itself the holder until its lease ends: at over, at the latest.
type departure struct {
	number  int64
	over    clock.Instant
	asked   bool // the record was read after the departure was heard, and does not announce it
	foreign bool // of another library, which has no lease
	list    bool // it was a writer, which may have become a reader with the same number
}

// standing is all that the decision about a place depends on.
type standing struct {
	ahead      int               // how many may still be ahead that we wait for
	depth      int               // in how many blocks
	led        bool              // the place has been taken already
	armed      bool              // the server will tell of the own znode's deletion first, or the znode is too young to be watched
	leased     bool              // a lease runs that is long enough
	departures []departure       // not announced, as far as is known
	nearest    session.Heartbeat // of the session of the one ahead
	refused    bool              // taking over is not permitted
}

// action is what to do next about a place.
type action int

const (
	actWait     action = iota // for an event, or for some time
	actLead                   // the place is first, and nobody else can hold it
	actAsk                    // read the line's record
	actList                   // list the line again
	actRenew                  // get a lease
	actTakeOver               // take over from the session of the one ahead
)

// String returns the action in words.
func (a action) String() string {
	return enum.Name(a, []string{"wait", "lead", "ask", "list", "renew", "take over"})
}

// never is a wait that only an event ends.
const never = time.Duration(1<<63 - 1)

// decide returns what to do, and for actWait after what time to decide again.
func decide(st standing, now clock.Instant) (action, time.Duration) {
	if st.ahead > 0 {
		return st.overtake(), never
	}
	if st.led || !st.armed {
		return actWait, never
	}
	if slices.ContainsFunc(st.departures, func(d departure) bool { return !d.asked }) {
		return actAsk, 0
	}
	if slices.ContainsFunc(st.departures, func(d departure) bool { return d.list }) {
		return actList, 0
	}
	wait := time.Duration(0)
	for _, d := range st.departures {
		if !d.over.Reached(now) { // the resolution of a clock must not make it wait longer
			wait = max(wait, d.over.Sub(now), time.Millisecond)
		}
	}
	switch {
	case wait > 0:
		return actWait, wait
	case !st.leased:
		return actRenew, never
	}
	return actLead, 0
}

// overtake returns what to do about the one ahead.
func (st standing) overtake() action {
	heard := st.nearest
	switch {
	case st.refused || st.depth > listenTo || heard.State < session.HeartbeatSilent:
		return actWait
	case heard.State == session.HeartbeatSilent && heard.Version == 0 && st.depth > 1:
		return actWait // it has never beaten: perhaps it does not know yet that it is the heir
	}
	return actTakeOver
}

// A candidate listens to the nearest one ahead if at most listenTo blocks are ahead of it: the
// second in line, the heir, listens to the first, and the third to the heir. Sessions of those
// further back need not beat.
const listenTo = 2
