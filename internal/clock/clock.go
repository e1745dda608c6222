// Package clock reads the time and sets timers. All other code of this library uses it for that, so
// that a test can pause a process, fire its timers late, let its clocks run at another rate, or
// suspend its host.
//
// A context carries the clock (see [With] and [From]). If a context has none, it means the [System]
// clock.
package clock

import (
	"context"
	"time"
)

// An Instant is one moment on two clocks. The monotonic clock never steps, but may stop while the
// host is suspended. The other clock runs while the host is suspended. A deadline has passed when
// either clock says so: each of the two covers a failure of the other.
//
// The zero Instant is before every reading. As a deadline it has passed.
type Instant struct {
	// Mono is nanoseconds on the monotonic clock since an arbitrary start.
	Mono int64
	// Boot is nanoseconds on the clock that counts suspension, since another arbitrary start.
	Boot int64
}

// Add returns the instant d later on both clocks.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{i.Mono + int64(d), i.Boot + int64(d)}
}

// Sub returns how much later i is than j, by the clock on which more time has passed. It is the
// cautious answer to "how old is j".
func (i Instant) Sub(j Instant) time.Duration {
	return time.Duration(max(i.Mono-j.Mono, i.Boot-j.Boot))
}

// Until returns how long after now the deadline i passes on the first of the two clocks. The result
// is zero or less if it has passed.
func (i Instant) Until(now Instant) time.Duration {
	return time.Duration(min(i.Mono-now.Mono, i.Boot-now.Boot))
}

// Passed reports whether now is at or after the deadline i on either clock.
func (i Instant) Passed(now Instant) bool { return now.Mono >= i.Mono || now.Boot >= i.Boot }

// Reached reports whether now is at or after i on both clocks: the cautious answer to "has at least
// this much time passed".
func (i Instant) Reached(now Instant) bool { return now.Mono >= i.Mono && now.Boot >= i.Boot }

// IsZero reports whether i is the zero Instant.
func (i Instant) IsZero() bool { return i == Instant{} }

// A Clock tells the time and sets timers. Its methods may be called from any goroutine.
type Clock interface {
	// Now reads both clocks.
	Now() Instant
	// Wall is the wall time, for people to read. No decision depends on it.
	Wall() time.Time
	// AfterFunc calls f in a goroutine of its own after d. If stop is called first, f is not
	// called. stop reports whether it has prevented the call.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
	// Random is uniform in [0, 1). All jitter comes from it.
	Random() float64
}

type contextKey struct{}

// With returns a context that carries c.
func With(ctx context.Context, c Clock) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From returns the clock that ctx carries, or the system clock.
func From(ctx context.Context) Clock {
	if c, ok := ctx.Value(contextKey{}).(Clock); ok {
		return c
	}
	return System
}

// WithTimeout is context.WithTimeoutCause on a Clock: after d the context is cancelled with
// context.DeadlineExceeded as its cause. The context has no Deadline of its own, because the
// standard one is not on this clock.
func WithTimeout(ctx context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := c.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// Sleep waits for d. If ctx ends first, Sleep returns its cause.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := NewTimer(c)
	defer t.Stop()
	t.Reset(d)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A Timer wakes a loop: C holds at most one signal. It belongs to one goroutine. A signal from an
// earlier setting can still be in C after Reset. So its reader must look at the clock, and must not
// count signals.
type Timer struct {
	// C carries the signal; it is never closed.
	C     chan struct{}
	clock Clock
	stop  func() bool
}

// NewTimer returns a timer that is not running.
func NewTimer(c Clock) *Timer { return &Timer{C: make(chan struct{}, 1), clock: c} }

// Reset lets the timer fire once, d from now. An earlier setting no longer counts.
func (t *Timer) Reset(d time.Duration) {
	t.Stop()
	t.stop = t.clock.AfterFunc(max(d, 0), func() {
		select {
		case t.C <- struct{}{}:
		default:
		}
	})
}

// Stop prevents the timer from firing if it has not fired.
func (t *Timer) Stop() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}
