package recipeprom

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// vectors are what the events of elections have counted, by name.
type vectors struct {
	win, drain, reentry                                *prometheus.HistogramVec
	terms                                              *prometheus.CounterVec // by reason, too
	failures, changes, tookOver, withheld, impairments *prometheus.CounterVec
}

// spans are the bounds, in seconds, for what lasts from milliseconds to days.
var spans = []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3600, 6 * 3600, 24 * 3600}

func newVectors() *vectors {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "election", Name: name, Help: help, Buckets: spans}, []string{"name"})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "election", Name: name, Help: help}, append([]string{"name"}, labels...))
	}
	return &vectors{
		win:         histogram("win_seconds", "Time from joining the line to being elected, in seconds."),
		drain:       histogram("drain_seconds", "Time from the end of a term until its znode was gone or given up, in seconds."),
		reentry:     histogram("reentry_seconds", "Time from leaving the line to standing in it again, in seconds."),
		terms:       counter("terms_total", "Terms that have ended, by reason.", "reason"),
		failures:    counter("failures_total", "Attempts to join the line, or to stay in it, that failed."),
		changes:     counter("leader_changes_total", "Times that another candidate came to lead, as seen from here."),
		tookOver:    counter("takeovers_total", "Times that a silent candidate's znode was deleted in order to take its place."),
		withheld:    counter("withheld_total", "Times that a candidate was first and had to wait for a lease that may have run still."),
		impairments: counter("impairments_total", "Times that a candidate noticed that a change of leader may take longer than the lease allows."),
	}
}

func (v *vectors) all() []prometheus.Collector {
	return []prometheus.Collector{v.win, v.drain, v.reentry, v.terms, v.failures, v.changes, v.tookOver, v.withheld, v.impairments}
}

// elections are the candidates of one name.
type elections struct {
	name                string
	vectors             *vectors
	win, drain, reentry prometheus.Observer
	failures, changes   prometheus.Counter // changes is nil until somebody tells who leads
	tookOver, withheld  prometheus.Counter
	impairments         prometheus.Counter

	candidates map[*election.Election]*candidate
	follows    bool          // one of them has ever told who leads
	leaderless time.Duration // in gaps that are over
	told       time.Duration // the longest time without a leader that a scrape was told
	dropped    uint64        // events of those that were removed
}

// candidate is what the events of one candidate have told.
type candidate struct {
	unsubscribe           func()
	joined, deposed, left time.Time // of the latest such event
	blocked               bool      // by a persistent znode, until elected or out of the line
	leader                string    // the znode of the latest leader, as far as is known
	leaderless            time.Time // since when nobody leads; zero while somebody does
}

func newElections(v *vectors, name string) *elections {
	m := &elections{
		name: name, vectors: v, candidates: map[*election.Election]*candidate{},
		win: v.win.WithLabelValues(name), drain: v.drain.WithLabelValues(name), reentry: v.reentry.WithLabelValues(name),
		failures: v.failures.WithLabelValues(name), tookOver: v.tookOver.WithLabelValues(name),
		withheld: v.withheld.WithLabelValues(name), impairments: v.impairments.WithLabelValues(name),
	}
	for _, r := range reasons {
		v.terms.WithLabelValues(name, r.String()) // a rate is seen only if there was a zero before
	}
	return m
}

// add counts the events of a candidate from now on, under mu.
func (m *elections) add(mu *sync.Mutex, el *election.Election) {
	c := &candidate{}
	c.unsubscribe = el.Subscribe(func(ev election.Event) {
		mu.Lock()
		defer mu.Unlock()
		m.take(c, ev)
	})
	m.candidates[el] = c
}

func (m *elections) remove(el *election.Election) {
	c := m.candidates[el]
	c.unsubscribe()
	m.endGap(c, time.Now())
	m.dropped += el.Status().EventsDropped
	delete(m.candidates, el)
}

// take counts an event of a candidate. The caller holds the Metrics' mu, here and below.
func (m *elections) take(c *candidate, ev election.Event) {
	switch ev.Kind {
	case election.EventJoined:
		observeSince(m.reentry, c.left, ev.Time)
		c.joined, c.left = ev.Time, time.Time{}
	case election.EventElected:
		observeSince(m.win, c.joined, ev.Time)
		c.blocked = false
	case election.EventDeposed:
		m.vectors.terms.WithLabelValues(m.name, ev.Reason.String()).Inc()
		c.deposed = ev.Time
	case election.EventLeft:
		observeSince(m.drain, c.deposed, ev.Time)
		c.deposed, c.left, c.blocked = time.Time{}, ev.Time, false
	case election.EventFailed:
		m.failures.Inc()
	case election.EventBlocked:
		c.blocked = true
	case election.EventTookOver:
		m.tookOver.Inc()
	case election.EventWithheld:
		m.withheld.Inc()
	case election.EventImpaired:
		m.impairments.Inc()
	case election.EventLeaderChanged:
		m.leaderChanged(c, ev)
	}
}

// leaderChanged notes who leads now. Other data of the same leader are no change. The first leader
// that is known is no change either.
func (m *elections) leaderChanged(c *candidate, ev election.Event) {
	if !m.follows {
		m.follows = true
		m.changes = m.vectors.changes.WithLabelValues(m.name) // none where nobody looks
	}
	if ev.Leader.Node == "" {
		if c.leaderless.IsZero() {
			c.leaderless = ev.Time
		}
		return
	}
	m.endGap(c, ev.Time)
	if c.leader != "" && c.leader != ev.Leader.Node {
		m.changes.Inc()
	}
	c.leader = ev.Leader.Node
}

// endGap ends a time without a leader, if there is one.
func (m *elections) endGap(c *candidate, now time.Time) {
	if !c.leaderless.IsZero() {
		m.leaderless += max(now.Sub(c.leaderless), 0)
		c.leaderless = time.Time{}
	}
}

// observeSince adds the time since begin, if there was a beginning.
func observeSince(h prometheus.Observer, begin, now time.Time) {
	if !begin.IsZero() {
		h.Observe(max(now.Sub(begin), 0).Seconds())
	}
}
