package election

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/stay"
	"github.com/zkrecipe/zkrecipe/session"
)

// enter takes a place in the line. If ctx ends meanwhile, the place is given up and its departure
// is announced. enter waits for that only as long as leave does.
func (e *Election) enter(ctx context.Context, s *session.Session, cfg line.Config) (*stay.Stay, error) {
	type result struct {
		st  *stay.Stay
		err error
	}
	left := make(chan struct{})
	e.left = left
	bound, cancel := e.linger(ctx)
	defer cancel()
	handOver := make(chan result)
	go func() { // Close of the client waits for it, and so does the next stay
		defer close(left)
		st, err := stay.Enter(ctx, s, cfg)
		select {
		case handOver <- result{st, err}:
		case <-bound.Done():
			if err == nil {
				_ = st.Leave(ctx, false)
			}
		}
	}()
	select {
	case r := <-handOver:
		return r.st, r.err
	case <-bound.Done():
		return nil, context.Cause(ctx)
	}
}

// lingers is how long Run and Campaign wait for the departure after the end of their context.
const lingers = 100 * time.Millisecond

// linger returns a context that ends that much later than ctx.
func (e *Election) linger(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = clock.Sleep(bounded, e.clock, lingers)
		cancel()
	})
	return bounded, func() { stop(); cancel() }
}
