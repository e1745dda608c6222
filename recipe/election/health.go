package election

import (
	"context"
	"errors"
	"sync"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// health is what Config.Healthy said last.
type health struct {
	mu     sync.Mutex // guards unwell
	unwell error      // nil when healthy
}

// errNotAsked stands until Healthy has answered for the first time.
var errNotAsked = errors.New("not asked yet")

// err returns nil when the candidate is healthy.
func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unwell
}

// set reports whether that was a change: to healthy, to unhealthy, or the first answer.
func (h *health) set(err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := (h.unwell == nil) != (err == nil) || h.unwell == errNotAsked
	h.unwell = err
	return changed
}

// start asks Healthy from now on until stop is called, which waits for it.
func (h *health) start(ctx context.Context, e *Election) (stop func()) {
	if e.cfg.Healthy == nil {
		return func() {}
	}
	h.set(errNotAsked)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if h.set(e.askHealthy(ctx)) {
				e.wakeUp()
			}
			clock.Sleep(ctx, e.clock, e.cfg.HealthEvery)
		}
	}()
	return func() { cancel(); <-done }
}

func (e *Election) askHealthy(ctx context.Context) error {
	ctx, cancel := clock.WithTimeout(ctx, e.clock, e.cfg.HealthEvery)
	defer cancel()
	return e.cfg.Healthy(ctx)
}

func (e *Election) wakeUp() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// awaitHealthy keeps an unhealthy candidate out of the line.
func (e *Election) awaitHealthy(ctx context.Context) error {
	for {
		err := e.health.err()
		if err == nil {
			return context.Cause(ctx)
		}
		e.status.set(e.clock, func(s *Status) { s.State, s.Err = StayingOut, err })
		select {
		case <-e.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
