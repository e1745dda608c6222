// Package retry computes the delays between attempts. They grow exponentially and have jitter. The
// attempts never end.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Backoff yields growing delays. It belongs to one goroutine.
type Backoff struct {
	clock            clock.Clock
	initial, longest time.Duration
	exp              *backoff.ExponentialBackOff // nil before the first delay: most requests need none
}

// New returns a Backoff whose delays grow from initial by half each time up to longest. Each is
// spread over ±50 %, so that many that fail at the same time do not try again at the same time. It
// never gives up.
func New(c clock.Clock, initial, longest time.Duration) *Backoff {
	return &Backoff{clock: c, initial: initial, longest: longest}
}

// Next returns the delay before the next attempt.
func (b *Backoff) Next() time.Duration {
	if b.exp == nil {
		b.exp = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(b.initial),
			backoff.WithMaxInterval(b.longest),
			backoff.WithMaxElapsedTime(0), // the package's default is to stop after 15 minutes
			backoff.WithRandomizationFactor(0),
		)
	}
	// The jitter comes from the clock, so that a simulation can repeat it.
	return time.Duration(float64(b.exp.NextBackOff()) * (0.5 + b.clock.Random()))
}

// Reset starts again from the initial delay.
func (b *Backoff) Reset() { b.exp = nil }

// Wait waits for Next, or returns the cause of ctx.
func (b *Backoff) Wait(ctx context.Context) error { return clock.Sleep(ctx, b.clock, b.Next()) }
