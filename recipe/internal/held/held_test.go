package held

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// timers counts the timers that are set.
type timers struct {
	clock.Clock
	set int
}

func (c *timers) AfterFunc(d time.Duration, f func()) func() bool {
	c.set++
	return c.Clock.AfterFunc(d, f)
}

// until is a lease.
type until struct{ atomic.Pointer[time.Time] }

func (u *until) extend(d time.Duration)   { end := time.Now().Add(d); u.Store(&end) }
func (u *until) Valid() bool              { return u.Remaining() > 0 }
func (u *until) Remaining() time.Duration { return time.Until(u.Deadline()) }
func (u *until) Deadline() time.Time      { return *u.Load() }

// A Held that begins at the end of a lease does not look at the clocks more often for ever.
func TestAShortBeginningDoesNotMultiplyTheLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease, beats = 4 * time.Second, 100
		c, l := &timers{Clock: clock.System}, &until{}
		l.extend(lease / 10)
		h := New(t.Context(), Config{Clock: c, Lease: l, StopBefore: lease / 16})
		h.Watch()
		for range beats {
			l.extend(lease)
			time.Sleep(lease / 4)
			synctest.Wait()
		}
		if most := beats * glances / 2; c.set > most || !h.Valid() {
			t.Errorf("%d looks in %d quarters of a lease, want at most %d; valid: %v", c.set, beats, most, h.Valid())
		}
		h.Finish()
	})
}
