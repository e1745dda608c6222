package held

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
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
			await.Sleep(lease / 4)
			synctest.Wait()
		}
		if most := beats * glances / 2; c.set > most || !h.Valid() {
			t.Errorf("%d looks in %d quarters of a lease, want at most %d; valid: %v", c.set, beats, most, h.Valid())
		}
		h.Finish()
	})
}

// What has ended by our own choice is drained for as long as its lease runs.
func TestTheDrainLastsUntilItIsOverOrTheLeaseRunsOut(t *testing.T) {
	const lease, margin = 4 * time.Second, 250 * time.Millisecond
	for name, c := range map[string]struct {
		end   func(h *Held, l *until)
		lasts time.Duration // how long the drain lasts after that
		cause recipe.Reason // why it ends
	}{
		"finished": {func(h *Held, l *until) {
			h.End(recipe.ReasonReleased, nil)
			time.AfterFunc(time.Second, h.Finish)
		}, time.Second, recipe.ReasonReleased},
		"the lease runs out": {func(h *Held, l *until) { h.End(recipe.ReasonCancelled, nil) }, lease - margin, recipe.ReasonLeaseExpired},
		"the lease was extended": {func(h *Held, l *until) {
			h.End(recipe.ReasonCancelled, nil)
			await.Sleep(lease / 2)
			l.extend(lease)
		}, lease/2 + lease - margin, recipe.ReasonLeaseExpired},
		"lost":   {func(h *Held, l *until) { h.End(recipe.ReasonNodeDeleted, nil) }, 0, recipe.ReasonNodeDeleted},
		"lapsed": {func(h *Held, l *until) { await.Sleep(lease - margin) }, lease - margin, recipe.ReasonLeaseExpired},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &until{}
				l.extend(lease)
				h := New(t.Context(), Config{Clock: clock.System, Lease: l, StopBefore: margin})
				h.Watch()
				begun := time.Now()
				c.end(h, l)
				<-h.DrainContext().Done() // by a timer: nobody asks
				if took := time.Since(begun); took != c.lasts {
					t.Errorf("it lasted %v; want %v", took, c.lasts)
				}
				if cause := context.Cause(h.DrainContext()); !errors.Is(cause, c.cause) {
					t.Errorf("the cause is %v; want %v", cause, c.cause)
				}
				if h.Context().Err() == nil {
					t.Error("the drain has ended before the context")
				}
				h.Finish()
			})
		})
	}
}

// A process that was paused finds its drain over before a timer fires.
func TestADrainThatIsAskedAfterAPauseIsOver(t *testing.T) {
	l := &until{}
	l.extend(time.Hour)
	h := New(t.Context(), Config{Clock: clock.System, Lease: l})
	h.End(recipe.ReasonReleased, nil)
	if h.DrainContext().Err() != nil || h.Valid() {
		t.Error("it is not drained")
	}
	l.extend(-time.Second)
	if h.DrainContext().Err() == nil {
		t.Error("the drain goes on without a lease")
	}
	if _, err := h.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("a guarded write: %v", err)
	}
}
