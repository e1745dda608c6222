package election

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
)

// health is what Config.Healthy said last.
type health struct {
	mu     sync.Mutex  // guards what follows
	unwell error       // nil when healthy
	depose func(error) // ends the running term; nil if there is none
}

// watch lets depose be called when the candidate is or becomes unhealthy, until stop is called.
func (h *health) watch(depose func(error)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.depose = depose
	if h.unwell != nil {
		depose(h.unwell)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.depose = nil
	}
}

// errNotAsked is the state until Healthy has answered for the first time.
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
	if err != nil && h.depose != nil {
		h.depose(err)
	}
	return changed
}

// start asks Healthy from now on until stop is called.
func (h *health) start(ctx context.Context, e *Election) (stop func()) {
	if e.cfg.Healthy == nil {
		return func() {}
	}
	h.set(errNotAsked)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var asked chan error // the answer to a question that is still open
		for ctx.Err() == nil {
			if asked == nil {
				asked = e.askHealthy(ctx)
			}
			err, answered := e.awaitAnswer(ctx, asked)
			if answered {
				asked = nil
			}
			if ctx.Err() == nil && h.set(err) {
				e.wakeUp()
			}
			if answered {
				clock.Sleep(ctx, e.clock, e.cfg.HealthEvery)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// askHealthy calls Healthy in a goroutine of its own, which nobody waits for. A Healthy that does
// not obey its context must not block anybody, and counts as unhealthy.
func (e *Election) askHealthy(ctx context.Context) chan error {
	answer := make(chan error, 1)
	ctx, cancel := clock.WithTimeout(ctx, e.clock, e.cfg.HealthEvery)
	go func() {
		defer cancel()
		err := errors.New("election: Config.Healthy called runtime.Goexit")
		defer func() { answer <- err }()
		err = e.cfg.Healthy(ctx)
	}()
	return answer
}

// awaitAnswer waits a moment longer than Healthy may take.
func (e *Election) awaitAnswer(ctx context.Context, answer chan error) (err error, answered bool) {
	late, cancel := life.Within(ctx, e.clock, e.cfg.HealthEvery+e.cfg.HealthEvery/4)
	defer cancel()
	select {
	case err := <-answer:
		return err, true
	case <-late.Done():
		return fmt.Errorf("election: Config.Healthy has not answered: %w", context.Cause(late)), false
	}
}

func (e *Election) wakeUp() { notify.Signal(e.wake) }

// awaitHealthy keeps an unhealthy candidate out of the line.
func (e *Election) awaitHealthy(ctx context.Context) error {
	for {
		err := e.health.err()
		if err == nil {
			return context.Cause(ctx)
		}
		e.status.set(e.clock, func(s *Status) { s.State, s.Err = StateUnhealthy, err })
		select {
		case <-e.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
