// Package clock is the one place where this library reads time and sets
// timers, so that a test can pause a process, fire its timers late, let its
// clocks run at another rate, or suspend its host.
//
// The clock travels in a context (see [With] and [From]); a context without one
// means the [System] clock.
package clock

import (
	"context"
	"time"
)

// An Instant is one moment read on two clocks: the monotonic clock, which never
// steps but may stand still while the host is suspended, and a clock that goes
// on through suspension. A deadline has passed when either clock says so: each
// of the two covers a failure of the other.
//
// The zero Instant lies before every reading; as a deadline it has passed.
type Instant struct {
	// Mono is nanoseconds on the monotonic clock since an arbitrary start.
	Mono int64
	// Boot is nanoseconds on the clock that counts suspension, likewise.
	Boot int64
}

// Add returns the instant d later on both clocks.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{i.Mono + int64(d), i.Boot + int64(d)}
}

// Sub returns how much later i is than j by the clock that saw the longer time.
// It is the cautious answer to "how old is j".
func (i Instant) Sub(j Instant) time.Duration {
	return time.Duration(max(i.Mono-j.Mono, i.Boot-j.Boot))
}

// Until returns how long after now the deadline i passes on the first of the two
// clocks; zero or less when it has passed.
func (i Instant) Until(now Instant) time.Duration {
	return time.Duration(min(i.Mono-now.Mono, i.Boot-now.Boot))
}

// Passed reports whether now is at or after the deadline i on either clock.
func (i Instant) Passed(now Instant) bool { return now.Mono >= i.Mono || now.Boot >= i.Boot }

// Reached reports whether now is at or after i on both clocks: the cautious
// answer to "has at least this much time gone by".
func (i Instant) Reached(now Instant) bool { return now.Mono >= i.Mono && now.Boot >= i.Boot }

// IsZero reports whether i is the zero Instant.
func (i Instant) IsZero() bool { return i == Instant{} }

// A Clock tells the time and sets timers. Its methods may be called from any
// goroutine.
type Clock interface {
	// Now reads both clocks.
	Now() Instant
	// Wall is the civil time, for people to read; nothing is decided by it.
	Wall() time.Time
	// AfterFunc calls f in a goroutine of its own after d, or not at all if stop
	// is called first. stop reports whether it came in time.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
	// Random is uniform in [0, 1): the source of every jitter.
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

// WithTimeout is context.WithTimeoutCause on a Clock: after d the context is
// cancelled with context.DeadlineExceeded as its cause. The context has no
// Deadline of its own, because the standard one is not on this clock.
func WithTimeout(ctx context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := c.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// Sleep waits for d or for the end of ctx, whose cause it then returns.
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

// A Timer wakes a loop: C holds at most one signal. It belongs to one goroutine.
// A signal from an earlier setting can still be in C after Reset, so its reader
// must look at the clock rather than count signals.
type Timer struct {
	// C carries the signal; it is never closed.
	C     chan struct{}
	clock Clock
	stop  func() bool
}

// NewTimer returns a timer that is not running.
func NewTimer(c Clock) *Timer { return &Timer{C: make(chan struct{}, 1), clock: c} }

// Reset lets the timer fire once, d from now, instead of whenever it was to fire.
func (t *Timer) Reset(d time.Duration) {
	t.Stop()
	t.stop = t.clock.AfterFunc(max(d, 0), func() {
		select {
		case t.C <- struct{}{}:
		default:
		}
	})
}

// Stop prevents the timer from firing if it has not.
func (t *Timer) Stop() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}
