package recipeprom

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// lineDescs are the metrics of locks, or of semaphores.
type lineDescs struct {
	waiting, held, waitingFor, heldFor, lease, blocked, impaired *prometheus.Desc

	acquire, hold                                            *prometheus.Desc
	ended, busy, gaveUp, failures, takeovers, withheld, size *prometheus.Desc
	dropped                                                  *prometheus.Desc
}

var (
	lockDescs      = describeLine("lock", "locks")
	semaphoreDescs = describeLine("semaphore", "permits")
)

func describeLine(kind, things string) lineDescs {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return describe(kind+"_"+name, help, labels...)
	}
	l := lineDescs{
		waiting:    d("waiting", "Calls of Acquire that wait now."),
		held:       d("held", "How many "+things+" this process holds now."),
		waitingFor: d("waiting_longest_seconds", "For how long the oldest call of Acquire has been waiting, in seconds; 0 if none waits."),
		heldFor:    d("held_longest_seconds", "For how long the oldest of what is held has been held, in seconds; 0 if nothing is."),
		lease:      d("lease_remaining_seconds", "Shortest time for which something that is held lasts if nothing extends it, in seconds."),
		blocked:    d("blocked", "Calls of Acquire that wait behind a persistent znode, which somebody has to delete."),
		impaired:   d("impaired", "Calls of Acquire that may have to wait for longer than the lease allows."),
		acquire:    d("acquire_seconds", "How long calls of Acquire took that have succeeded, in seconds."),
		hold:       d("hold_seconds", "How long "+things+" that are over were held, in seconds."),
		ended:      d("ended_total", "How often something that was held was over, by reason.", "reason"),
		busy:       d("busy_total", "Calls of TryAcquire that found it taken."),
		gaveUp:     d("gave_up_total", "Calls of Acquire that failed otherwise, most often because their context ended."),
		failures:   d("failures_total", "Attempts to stand in line that failed."),
		takeovers:  d("takeovers_total", "Silent sessions ahead whose znodes were deleted."),
		withheld:   d("withheld_total", "How often this process was next and had to wait for a lease that may have run still."),
		dropped:    d("events_dropped_total", droppedHelp),
	}
	if kind == "semaphore" {
		l.size = d("size", "How many permits there are.")
	}
	return l
}

// usual are the reasons for which something that is held can end, except those that only Do has.
var usual = []recipe.Reason{
	recipe.ReasonReleased, recipe.ReasonCancelled, recipe.ReasonClosed,
	recipe.ReasonLeaseExpired, recipe.ReasonSessionLost, recipe.ReasonNodeDeleted,
}

type lineStatus = recipe.Status

// addLine adds the totals.
func addLine(total, one lineStatus) lineStatus {
	t, c := &total.Counts, one.Counts
	addTimes(&t.Waited, c.Waited)
	addTimes(&t.Held, c.Held)
	t.Busy, t.GaveUp, t.Failed = t.Busy+c.Busy, t.GaveUp+c.GaveUp, t.Failed+c.Failed
	t.TookOver, t.Withheld = t.TookOver+c.TookOver, t.Withheld+c.Withheld
	t.Ended = plus(t.Ended, c.Ended)
	total.EventsDropped += one.EventsDropped
	return total
}

func addTimes(total *recipe.Times, one recipe.Times) {
	total.Count += one.Count
	total.Sum += one.Sum
	for i, n := range one.Within {
		total.Within[i] += n
	}
}

// plus adds up totals by reason.
func plus(a, b map[recipe.Reason]uint64) map[recipe.Reason]uint64 {
	sum := maps.Clone(a)
	if sum == nil {
		sum = map[recipe.Reason]uint64{}
	}
	for r, n := range b {
		sum[r] += n
	}
	return sum
}

// lineNow is the sum of the claims that there are now.
type lineNow struct {
	waiting, held, blocked, impaired float64
	waitingFor, heldFor, lease       time.Duration
}

func (s *lineNow) add(c recipe.Claim, now time.Time) {
	since := now.Sub(c.Since)
	switch c.State {
	case recipe.ClaimWaiting:
		s.waiting++
		s.waitingFor = max(s.waitingFor, since)
		if c.Blocked {
			s.blocked++
		}
		if c.Impaired != nil {
			s.impaired++
		}
	case recipe.ClaimHeld:
		if c.LeaseRemaining <= 0 {
			return // this process may not have noticed yet
		}
		if s.held == 0 || c.LeaseRemaining < s.lease {
			s.lease = c.LeaseRemaining
		}
		s.held += float64(c.Permits)
		s.heldFor = max(s.heldFor, since)
	}
}

func collectLines(o *out, d lineDescs, p *polled[lineStatus], now time.Time) {
	total, open, ok := p.ask()
	if !ok {
		return
	}
	var s lineNow
	size := 0
	for _, st := range open {
		size += st.Size
		for _, c := range st.Claims {
			s.add(c, now)
		}
	}
	o.gauge(d.waiting, s.waiting)
	o.gauge(d.held, s.held)
	o.gauge(d.waitingFor, s.waitingFor.Seconds())
	o.gauge(d.heldFor, s.heldFor.Seconds())
	o.gauge(d.blocked, s.blocked)
	o.gauge(d.impaired, s.impaired)
	if s.held > 0 { // else there is nothing to tell, and 0 would tell something
		o.gauge(d.lease, s.lease.Seconds())
	}
	if d.size != nil {
		o.gauge(d.size, float64(size))
	}
	c := total.Counts
	o.times(d.acquire, c.Waited)
	o.times(d.hold, c.Held)
	o.reasons(d.ended, c.Ended, usual...)
	o.counter(d.busy, float64(c.Busy))
	o.counter(d.gaveUp, float64(c.GaveUp))
	o.counter(d.failures, float64(c.Failed))
	o.counter(d.takeovers, float64(c.TookOver))
	o.counter(d.withheld, float64(c.Withheld))
	o.counter(d.dropped, float64(total.EventsDropped))
}
