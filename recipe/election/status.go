package election

import (
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// State is what a candidate is doing.
type State int

const (
	// StateIdle: neither running nor campaigning.
	StateIdle State = iota
	// StateJoining: waiting for a session, or taking a place in the line.
	StateJoining
	// StateWaiting: in line.
	StateWaiting
	// StateHeir: next in line, with a lease of its own.
	StateHeir
	// StateLeading: in a term.
	StateLeading
	// StateDraining: the term is over, the work is still stopping.
	StateDraining
	// StateBackingOff: out of the line for a while.
	StateBackingOff
	// StateUnhealthy: out of the line until Config.Healthy returns nil.
	StateUnhealthy
)

// String returns the state in words.
func (s State) String() string {
	return enum.Name(s, []string{"idle", "joining", "waiting", "heir", "leading", "draining", "backing off", "unhealthy"})
}

// Status is the state of a candidate at one moment.
type Status struct {
	// Path and ID are the election's and the candidate's.
	Path, ID string
	// State is what it is doing, since Since.
	State State
	Since time.Time
	// TryingSince is when the candidate began to try to stand in line; it has not succeeded since.
	// The delays between attempts count, too. It is the zero time in all states other than
	// StateJoining and StateBackingOff.
	TryingSince time.Time
	// Session is the id of the session in which it stands in line, or stood last.
	Session int64
	// Node is the path of its znode, "" when it is not in line. Position is how many are ahead.
	// Ahead is the path of the nearest one's znode.
	Node     string
	Position int
	Ahead    string
	// Token is that of the present term, 0 if it does not lead. LeaseRemaining is how long its
	// lease runs.
	Token          int64
	LeaseRemaining time.Duration
	// LastReason is why the last term ended, 0 before that. LastErr is what led to that, if
	// anything: the error that the callback returned, or why the session is over.
	LastReason recipe.Reason
	LastErr    error
	// EventsDropped is how many events subscribers have not taken, Config.OnEvent included.
	EventsDropped uint64
	// Impaired is why a change of leader may take longer than it has to, as far as this candidate
	// has noticed; nil if it has noticed nothing.
	Impaired error
	// Err is what went wrong last, nil since the last joining.
	Err error

	term *Term
}

type status struct {
	mu sync.Mutex // guards s; held for moments only
	s  Status
}

func (st *status) set(c clock.Clock, change func(*Status)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	before := st.s.State
	change(&st.s)
	if st.s.State != before || st.s.Since.IsZero() {
		st.s.Since = c.Wall()
	}
	switch trying := st.s.State == StateJoining || st.s.State == StateBackingOff; {
	case !trying:
		st.s.TryingSince = time.Time{}
	case st.s.TryingSince.IsZero():
		st.s.TryingSince = st.s.Since
	}
}

// Status returns the present state of the candidate. It never blocks. The client's Status tells
// what is wrong with the servers, if anything.
func (e *Election) Status() Status {
	e.status.mu.Lock()
	s := e.status.s
	e.status.mu.Unlock()
	s.EventsDropped = e.events.Dropped()
	if s.term != nil {
		s.LeaseRemaining = max(s.term.Remaining(), 0)
		s.term = nil
	}
	return s
}
