package recipeprom

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// Metrics is a prometheus.Collector of any number of candidates, whose figures it adds
// up. Use one per election, or one for all shards of a kind. What it has counted stays
// until the process ends. All methods may be called from any goroutine.
type Metrics struct {
	win, drain, reentry prometheus.Histogram
	terms               *prometheus.CounterVec
	failures, changes   prometheus.Counter
	tookOver, withheld  prometheus.Counter
	impairments         prometheus.Counter

	mu         sync.Mutex // guards what follows, and the candidates' fields
	candidates map[*election.Election]*candidate
	follows    bool          // one of them has ever told who leads
	leaderless time.Duration // in gaps that are over
	told       time.Duration // the longest time without a leader that a scrape was told
}

// candidate is what the events of one candidate have told.
type candidate struct {
	unsubscribe           func()
	joined, deposed, left time.Time // of the latest such event
	blocked               bool      // by a persistent znode, until elected or out of the line
	leader                string    // the znode of whoever led last, as far as is known
	leaderless            time.Time // since when nobody leads; zero while somebody does
}

// spans are the bounds, in seconds, for whatever lasts from milliseconds to days.
var spans = []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3600, 6 * 3600, 24 * 3600}

// New returns Metrics without candidates. Register it, with labels if there is more than
// one in the process.
func New() *Metrics {
	m := &Metrics{
		candidates: map[*election.Election]*candidate{},
		win:        histogram("win_seconds", "Time from joining the line to being elected, in seconds."),
		drain:      histogram("drain_seconds", "Time from the end of a term until its znode was gone or given up, in seconds."),
		reentry:    histogram("reentry_seconds", "Time from leaving the line to standing in it again, in seconds."),
		terms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "election", Name: "terms_total", Help: "Terms that have ended, by reason."}, []string{"reason"}),
		failures: counter("failures_total", "Attempts to join the line, or to stay in it, that failed."),
		changes:  counter("leader_changes_total", "Times that another candidate came to lead, as seen from here."),
		tookOver: counter("takeovers_total", "Times that a silent candidate's znode was deleted in order to take its place."),
		withheld: counter("withheld_total", "Times that a candidate was first and had to wait for a lease that may have run still."),

		impairments: counter("impairments_total", "Times that a candidate noticed that a change of leader may take longer than the lease allows."),
	}
	for _, r := range reasons {
		m.terms.WithLabelValues(r.String()) // a rate is seen only if there was a zero before
	}
	return m
}

const namespace = "zkrecipe"

func histogram(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: "election", Name: name, Help: help, Buckets: spans})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "election", Name: name, Help: help})
}

// Add collects the figures of candidates, from their Status at each scrape and from their events.
// Call it before Run or Campaign: what has happened earlier is not counted. A candidate that has been
// added before stays as it is.
func (m *Metrics) Add(candidates ...*election.Election) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, el := range candidates {
		if m.candidates[el] == nil {
			c := &candidate{}
			c.unsubscribe = el.Subscribe(func(ev election.Event) { m.take(c, ev) })
			m.candidates[el] = c
		}
	}
}

// Remove ends what Add began, for a candidate that will not run again, as when a shard is moved away.
// What was counted stays.
func (m *Metrics) Remove(candidates ...*election.Election) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, el := range candidates {
		if c := m.candidates[el]; c != nil {
			c.unsubscribe()
			m.endGap(c, time.Now())
			delete(m.candidates, el)
		}
	}
}

// take counts an event of a candidate.
func (m *Metrics) take(c *candidate, ev election.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch ev.Kind {
	case election.EventJoined:
		observeSince(m.reentry, c.left, ev.Time)
		c.joined, c.left = ev.Time, time.Time{}
	case election.EventElected:
		observeSince(m.win, c.joined, ev.Time)
		c.blocked = false
	case election.EventDeposed:
		m.terms.WithLabelValues(ev.Reason.String()).Inc()
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

// leaderChanged takes note of who leads now. Other data of the same leader are no change, nor
// is the first news. The caller holds m.mu.
func (m *Metrics) leaderChanged(c *candidate, ev election.Event) {
	m.follows = true
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

// endGap ends a time without a leader, if there is one. The caller holds m.mu.
func (m *Metrics) endGap(c *candidate, now time.Time) {
	if !c.leaderless.IsZero() {
		m.leaderless += max(now.Sub(c.leaderless), 0)
		c.leaderless = time.Time{}
	}
}

// observeSince adds the time since begin, if there was a beginning.
func observeSince(h prometheus.Histogram, begin, now time.Time) {
	if !begin.IsZero() {
		h.Observe(max(now.Sub(begin), 0).Seconds())
	}
}
