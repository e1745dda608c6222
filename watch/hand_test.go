package watch_test

import (
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A handClock stands still until somebody moves it.
type handClock struct {
	mu     sync.Mutex // guards the rest
	now    int64
	timers map[*handTimer]bool
	set    chan time.Duration // each timer as it is set
}

type handTimer struct {
	at int64
	f  func()
}

func newHandClock() *handClock {
	return &handClock{timers: map[*handTimer]bool{}, set: make(chan time.Duration, 100)}
}

func (c *handClock) Now() clock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Instant{Mono: c.now, Boot: c.now}
}
func (c *handClock) Wall() time.Time { return time.Now() }
func (c *handClock) Random() float64 { return 0 }
func (c *handClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &handTimer{c.now + int64(d), f}
	c.timers[t] = true
	c.set <- d
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := c.timers[t]
		delete(c.timers, t)
		return was
	}
}

// pass lets d go by and fires what is due.
func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += int64(d)
	for t := range c.timers {
		if t.at <= c.now {
			delete(c.timers, t)
			go t.f()
		}
	}
}
