package ensemble

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fatal marks an error that waiting does not cure.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// pollEvery is how often a server is asked, askFor how long one question may take: a frozen server
// accepts connections and says nothing.
const (
	pollEvery = 25 * time.Millisecond
	askFor    = time.Second
)

// poll calls try until it returns nil, a fatal error, or ctx ends; wrap says more about the last
// error.
func poll(ctx context.Context, try func(context.Context) error, wrap func(error) error) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, askFor)
		err := try(attempt)
		cancel()
		var f fatal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &f):
			return f.error
		}
		select {
		case <-ctx.Done():
			return wrap(fmt.Errorf("%w (last: %w)", context.Cause(ctx), err))
		case <-ticker.C:
		}
	}
}
