package recipeprom

import (
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// states and reasons are those that have a figure from the beginning, 0. Others get one when they
// occur.
var (
	states = []election.State{
		election.StateIdle, election.StateJoining, election.StateWaiting, election.StateHeir,
		election.StateLeading, election.StateDraining, election.StateBackingOff, election.StateUnhealthy,
	}
	reasons = []recipe.Reason{
		recipe.ReasonReleased, recipe.ReasonReturned, recipe.ReasonStopped, recipe.ReasonPanicked, recipe.ReasonCancelled, recipe.ReasonClosed,
		recipe.ReasonUnhealthy, recipe.ReasonLeaseExpired, recipe.ReasonSessionLost, recipe.ReasonNodeDeleted,
	}
)

// What is read at each scrape.
var (
	candidatesDesc = describe("election_candidates", "Candidates of this process, by what they are doing.", "state")
	leaderDesc     = describe("election_leader", "Terms that are valid now: 1 while this candidate leads.")
	tokenDesc      = describe("election_token", "Largest fencing token among the terms that are valid now.")
	startDesc      = describe("election_term_start_time_seconds", "When the oldest term that is valid now began, in seconds since 1970.")
	leaseDesc      = describe("election_lease_remaining_seconds", "Shortest time for which a term that is valid now lasts if nothing extends it, in seconds.")
	positionDesc   = describe("election_position", "How many others stand ahead of the candidate, of the one furthest back.")
	blockedDesc    = describe("election_blocked", "Candidates behind a persistent znode, which somebody has to delete.")
	impairedDesc   = describe("election_impaired", "Candidates that have noticed that a change of leader may take longer than the lease allows.")
	leaderlessDesc = describe("election_leaderless_seconds_total", "Time in which nobody was first in line, as seen from here, in seconds.")
	droppedDesc    = describe("election_events_dropped_total", droppedHelp)
)

// collect asks each candidate for its Status.
func (m *elections) collect(o *out, now time.Time) {
	s := m.sum(now)
	for state, n := range s.states {
		o.gauge(candidatesDesc, n, state.String())
	}
	o.gauge(leaderDesc, s.leading)
	o.gauge(blockedDesc, s.blocked)
	o.gauge(impairedDesc, s.impaired)
	if s.leading > 0 { // else there is nothing to tell, and 0 would tell something
		o.gauge(tokenDesc, float64(s.token))
		o.gauge(startDesc, float64(s.start.UnixNano())/1e9)
		o.gauge(leaseDesc, s.lease.Seconds())
	}
	if s.inLine {
		o.gauge(positionDesc, float64(s.position))
	}
	if s.follows {
		o.counter(leaderlessDesc, s.leaderless.Seconds())
	}
	o.counter(droppedDesc, float64(s.dropped))
}

// sum is what all candidates come to.
type sum struct {
	states           map[election.State]float64
	leading, blocked float64
	impaired         float64
	token            int64
	start            time.Time
	lease            time.Duration
	inLine           bool
	position         int
	follows          bool
	leaderless       time.Duration
	dropped          uint64
}

// newSum returns what no candidates come to.
func newSum() sum {
	s := sum{states: map[election.State]float64{}}
	for _, state := range states {
		s.states[state] = 0
	}
	return s
}

// sum adds up the candidates as they stand now.
func (m *elections) sum(now time.Time) (s sum) {
	s = newSum()
	s.dropped = m.dropped
	for el, c := range m.candidates {
		st := el.Status()
		s.add(st)
		if c.blocked {
			s.blocked++
		}
		switch {
		case st.State == election.StateIdle: // nobody has been looking since
			m.endGap(c, st.Since)
		case !c.leaderless.IsZero():
			s.leaderless += max(now.Sub(c.leaderless), 0)
		}
	}
	s.follows = m.follows
	// The event that ends a gap may come after a scrape that has counted the gap as open.
	m.told = max(m.told, s.leaderless+m.leaderless)
	s.leaderless = m.told
	return s
}

// add adds one candidate.
func (s *sum) add(st election.Status) {
	s.states[st.State]++
	s.dropped += st.EventsDropped
	if st.Impaired != nil && st.State != election.StateIdle {
		s.impaired++
	}
	if st.Node != "" {
		s.inLine = true
		s.position = max(s.position, st.Position)
	}
	if st.LeaseRemaining <= 0 {
		return // no term, or one that is not valid any more
	}
	if s.leading == 0 || st.Since.Before(s.start) {
		s.start = st.Since
	}
	if s.leading == 0 || st.LeaseRemaining < s.lease {
		s.lease = st.LeaseRemaining
	}
	s.leading++
	s.token = max(s.token, st.Token)
}
