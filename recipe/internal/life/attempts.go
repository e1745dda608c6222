package life

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe"
)

// NewBackoff returns the delays between attempts of a recipe: from 50 ms to 10 s.
func NewBackoff(c clock.Clock) *retry.Backoff {
	return retry.New(c, 50*time.Millisecond, 10*time.Second)
}

// Attempts is how a call of Acquire tries.
type Attempts struct {
	// Path names the recipe in a [*recipe.PermanentError].
	Path string
	// Last is told why each attempt has failed.
	Last *Failure
	// Answer reports whether an error is what the caller wants to know. It ends the attempts.
	Answer func(error) bool
	// Failed is called when an attempt has failed. If refused is true, trying again cannot help.
	// Otherwise the next attempt begins after delay.
	Failed func(err error, refused bool, delay time.Duration)
}

// Attempt calls try again and again until it succeeds, or trying again cannot help, or the work is
// to end. The delays between the attempts grow. An attempt that has lasted for a lease makes them
// short again.
func (l *Life) Attempt(ctx context.Context, a Attempts, try func() error) error {
	pause := NewBackoff(l.clock)
	for {
		begun := l.clock.Now()
		err := try()
		switch {
		case err == nil || a.Answer(err):
			return err
		case l.Over(ctx):
			return l.Cut(ctx, err)
		case Permanent(err):
			a.Failed(err, true, 0)
			return &recipe.PermanentError{Path: a.Path, Err: err}
		}
		a.Last.Set(err)
		if l.clock.Now().Sub(begun) >= l.client.Status().LeaseTime {
			pause.Reset()
		}
		delay := pause.Next()
		a.Failed(err, false, delay)
		if clock.Sleep(ctx, l.clock, delay) != nil {
			return l.Cut(ctx, err)
		}
	}
}
