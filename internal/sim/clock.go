package sim

import (
	"math/rand"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// procClock is the clock of one simulated process, or host: it may run fast or slow, and the
// process can be paused (time goes on, timers fire late) or its host suspended (the monotonic clock
// stands still besides).
type procClock struct {
	rate  float64
	begin time.Time

	mu        sync.Mutex // guards what follows
	rng       *rand.Rand
	stopped   bool          // paused or suspended
	suspended time.Time     // since when the monotonic clock stands still; zero if it runs
	woken     time.Time     // when it last ran on
	lost      time.Duration // what it has missed, in real time
	late      []func()      // timers that were due meanwhile
}

func newProcClock(rate float64, seed int64) *procClock {
	return &procClock{rate: rate, begin: time.Now(), rng: rand.New(rand.NewSource(seed))}
}

// Now implements clock.Clock. An hour is added, so that no reading is near zero.
func (c *procClock) Now() clock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *procClock) now() clock.Instant {
	real := time.Since(c.begin) + time.Hour
	lost := c.lost
	if !c.suspended.IsZero() {
		lost += time.Since(c.suspended)
	}
	return clock.Instant{Mono: int64(c.rate * float64(real-lost)), Boot: int64(c.rate * float64(real))}
}

// Wall implements clock.Clock.
func (c *procClock) Wall() time.Time { return time.Now() }

// Random implements clock.Clock.
func (c *procClock) Random() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64()
}

// AfterFunc implements clock.Clock: timers count monotonic time, and fire only while the process
// runs.
func (c *procClock) AfterFunc(d time.Duration, f func()) func() bool {
	t := &procTimer{c: c, f: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.due = c.now().Mono + int64(d)
	t.set(d)
	return t.stop
}

type procTimer struct {
	c   *procClock
	f   func()
	due int64

	// Guarded by c.mu.
	t    *time.Timer
	done bool
}

func (t *procTimer) set(d time.Duration) {
	if d > 0 {
		d = time.Duration(float64(d)/t.c.rate) + 2 // never early by a rounding: its owner would set it again for ever
	}
	t.t = time.AfterFunc(max(d, 1), t.fire) // not 0, see clock.System
}

func (t *procTimer) fire() {
	t.c.mu.Lock()
	if t.done {
		t.c.mu.Unlock()
		return
	}
	if rest := t.due - t.c.now().Mono; rest > 1000 && !t.c.stopped { // the monotonic clock stood still
		t.set(time.Duration(rest))
		t.c.mu.Unlock()
		return
	}
	if t.c.stopped {
		t.c.late = append(t.c.late, t.fire)
		t.c.mu.Unlock()
		return
	}
	t.done = true
	t.c.mu.Unlock()
	t.f()
}

func (t *procTimer) stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	pending := !t.done
	t.done = true
	t.t.Stop()
	return pending
}

// pause stops the process; with suspend its monotonic clock as well.
func (c *procClock) pause(suspend bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if suspend && c.suspended.IsZero() {
		c.suspended = time.Now()
	}
}

// resume lets the process run again. Timers that are late fire in any order.
func (c *procClock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.suspended.IsZero() {
		c.lost += time.Since(c.suspended)
		c.suspended, c.woken = time.Time{}, time.Now()
	}
	c.stopped = false
	late := c.late
	c.late = nil
	c.rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, fire := range late {
		go fire()
	}
}

// excused reports whether the process cannot know yet that a lease of length D is over: it stands
// still, or its host was suspended so short a time ago that its timers may be late. By contract it
// looks at the clocks 16 times in D.
func (c *procClock) excused(D time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped || !c.woken.IsZero() && time.Since(c.woken) < time.Duration(float64(max(D/16, 5*time.Millisecond))/c.rate)+time.Millisecond
}

func (c *procClock) paused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}
