package zktest

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"sync"
	"time"
)

// loop owns the simulated ensemble: one lock, one queue of work that is ready
// and one heap of events that are due later. Everything that happens in an
// ensemble happens inside do, one event after the other, so the rest of the
// package needs no other synchronisation.
//
// The lock is never held while anything waits: a goroutine blocked on it is
// about to run, which keeps testing/synctest bubbles durable.
type loop struct {
	mu      sync.Mutex // guards everything in the ensemble, this struct included
	start   time.Time
	now     time.Duration // since start, fixed while one event runs
	ready   []func()
	later   events
	seq     uint64
	taken   map[time.Duration]bool // instants that an event already has
	timer   *time.Timer
	armed   time.Duration  // what timer is set to
	waiting sync.WaitGroup // the goroutine that waits for timer
	stopped bool
}

func (l *loop) init() {
	l.start = time.Now()
	l.taken = map[time.Duration]bool{}
}

// do runs fn and everything that becomes ready through it.
func (l *loop) do(fn func()) {
	l.mu.Lock()
	l.now = max(l.now, time.Since(l.start))
	if fn != nil {
		fn()
	}
	l.drain()
	l.arm()
	l.mu.Unlock()
}

// soon queues fn behind the work that is already ready, at this instant.
func (l *loop) soon(fn func()) { l.ready = append(l.ready, fn) }

func (l *loop) drain() {
	for !l.stopped {
		switch {
		case len(l.ready) > 0:
			fn := l.ready[0]
			l.ready[0] = nil
			l.ready = l.ready[1:]
			fn()
		case len(l.later) > 0 && l.later[0].at <= l.now:
			ev := heap.Pop(&l.later).(*event)
			delete(l.taken, ev.at)
			if ev.fn != nil {
				ev.fn()
			}
		default:
			l.ready = nil
			return
		}
	}
}

// arm sets the one timer to the first event.
func (l *loop) arm() {
	if l.stopped || len(l.later) == 0 {
		return
	}
	at := l.later[0].at
	switch {
	case l.timer == nil:
		l.timer = time.NewTimer(at - time.Since(l.start))
		l.waiting.Go(func() { l.wait(l.timer) })
	case at < l.armed || l.armed <= l.now: // else it rings early, and is set again
		l.timer.Reset(at - time.Since(l.start))
	default:
		return
	}
	l.armed = at
}

// wait runs what is due whenever the timer fires, until the loop is stopped. It is one goroutine for all
// events: the stack of a new one would have to grow each time.
func (l *loop) wait(timer *time.Timer) {
	for stopped := false; !stopped; {
		<-timer.C
		l.do(func() { stopped = l.stopped })
	}
}

// stop ends the loop; events that are left never run. The goroutine that waits ends soon after.
func (l *loop) stop() {
	l.stopped = true
	l.ready, l.later = nil, nil
	if l.timer != nil {
		l.timer.Reset(0)
	}
}

// event is something that will happen. cancel is its only method, so that a
// cancelled event can stay in the heap until its time has come.
type event struct {
	at  time.Duration
	seq uint64
	fn  func()
}

func (ev *event) cancel() {
	if ev != nil {
		ev.fn = nil
	}
}

// at schedules fn. No two events share an instant: where one is taken the
// next nanosecond is used, so the order of events never depends on how a
// clock breaks ties.
func (l *loop) at(t time.Duration, fn func()) *event {
	t = max(t, l.now)
	for l.taken[t] {
		t++
	}
	l.taken[t] = true
	l.seq++
	ev := &event{at: t, seq: l.seq, fn: fn}
	heap.Push(&l.later, ev)
	return ev
}

func (l *loop) after(d time.Duration, fn func()) *event { return l.at(l.now+d, fn) }

// wallMillis is the time that transactions carry.
func (l *loop) wallMillis() int64 { return l.start.Add(l.now).UnixMilli() }

// events is a heap by instant.
type events []*event

func (h events) Len() int           { return len(h) }
func (h events) Less(i, j int) bool { return h[i].at < h[j].at }
func (h events) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)        { *h = append(*h, x.(*event)) }
func (h *events) Pop() any {
	old := *h
	ev := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return ev
}

// sortedKeys makes every walk over a map repeatable.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
