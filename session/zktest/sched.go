package zktest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// loop owns the simulated ensemble: one lock, one queue of work that is ready and one list of
// events that are due later. Everything that happens in an ensemble happens inside do, one event
// after the other, so the rest of the package needs no other synchronisation.
//
// The lock is never held while anything waits: a goroutine blocked on it is about to run, which
// keeps testing/synctest bubbles durable.
type loop struct {
	mu      sync.Mutex // guards everything in the ensemble, this struct included
	start   time.Time
	now     time.Duration // since start, fixed while one event runs
	ready   queue[func()]
	later   []*event // latest first
	timer   *time.Timer
	armed   time.Duration  // what timer is set to
	waiting sync.WaitGroup // the goroutine that waits for timer
	stopped bool
}

func (l *loop) init() { l.start = time.Now() }

// do runs fn and everything that becomes ready through it.
func (l *loop) do(fn func()) {
	l.mu.Lock()
	l.now = max(l.now, time.Since(l.start))
	fn()
	l.drain()
	l.arm()
	l.mu.Unlock()
	noise()
}

// soon queues fn behind the work that is already ready, at this instant.
func (l *loop) soon(fn func()) { l.ready.push(fn) }

func (l *loop) drain() {
	for !l.stopped {
		switch {
		case l.ready.len() > 0:
			l.ready.pop()()
		case len(l.later) > 0 && l.first().at <= l.now:
			ev := l.first()
			l.later[len(l.later)-1] = nil
			l.later = l.later[:len(l.later)-1]
			if ev.fn != nil {
				ev.fn()
			}
		default:
			return
		}
	}
}

// arm sets the one timer to the first event.
func (l *loop) arm() {
	if l.stopped || len(l.later) == 0 {
		return
	}
	at := l.first().at
	switch {
	case l.timer == nil:
		l.timer = time.NewTimer(at - time.Since(l.start))
		l.waiting.Go(l.wait)
	case at < l.armed || l.armed <= l.now: // else it rings early, and is set again
		l.timer.Reset(at - time.Since(l.start))
	default:
		return
	}
	l.armed = at
}

// wait runs what is due whenever the timer fires, until the loop is stopped. It is one goroutine
// for all events: the stack of a new one would have to grow each time.
func (l *loop) wait() {
	for stopped := false; !stopped; {
		<-l.timer.C
		l.do(func() { stopped = l.stopped })
	}
}

// stop ends the loop; events that are left never run. The goroutine that waits ends soon after.
func (l *loop) stop() {
	l.stopped = true
	l.ready, l.later = queue[func()]{}, nil
	if l.timer != nil {
		l.timer.Reset(1) // not 0, see clock.System
	}
}

// event is something that will happen. cancel is its only method, so that a cancelled event can
// stay in the list until its time has come.
type event struct {
	at time.Duration
	fn func()
}

func (ev *event) cancel() {
	if ev != nil {
		ev.fn = nil
	}
}

// at schedules fn. No two events share an instant: where one is taken the next nanosecond is used,
// so the order of events never depends on how a clock breaks ties.
func (l *loop) at(t time.Duration, fn func()) *event {
	t = max(t, l.now)
	i, taken := l.place(t)
	for taken {
		t++
		i, taken = l.place(t)
	}
	ev := &event{at: t, fn: fn}
	l.later = slices.Insert(l.later, i, ev)
	return ev
}

// place finds where in the list an event at t belongs, and whether there is one already.
func (l *loop) place(t time.Duration) (int, bool) {
	return slices.BinarySearchFunc(l.later, t, func(ev *event, t time.Duration) int { return cmp.Compare(t, ev.at) })
}

func (l *loop) first() *event { return l.later[len(l.later)-1] }

func (l *loop) after(d time.Duration, fn func()) *event { return l.at(l.now+d, fn) }

// wallMillis is the time that transactions carry.
func (l *loop) wallMillis() int64 { return l.start.Add(l.now).UnixMilli() }

// sortedKeys makes every walk over a map repeatable.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
