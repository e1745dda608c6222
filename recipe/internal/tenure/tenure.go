// Package tenure is what every recipe does for one place: it waits until the place may be held,
// watches over what is held until that ends, and gives the work time to stop.
package tenure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// A Place is a line.Place, or something else with the same rules, such as a permit of a semaphore.
type Place interface {
	// Step does what is due, and tells how the place stands. The error is [line.ErrGone], or that
	// of a request.
	Step(ctx context.Context, need time.Duration) (line.Standing, error)
	// Woken has a signal when there is something to find out.
	Woken() <-chan struct{}
}

// LevelOf is the log level for the end of a lock or a permit. A loss is logged at a higher level.
func LevelOf(r recipe.Reason) slog.Level {
	if r.Chosen() {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// StopBefore returns how long before the end of a lease of length D what is held ends: a sixteenth
// of the lease if nothing is asked for, a quarter of it at most.
func StopBefore(asked, D time.Duration) time.Duration { return min(cmp.Or(asked, D/16), D/4) }

// CheckStopBefore says what is wrong with a Config.StopBefore. It uses the lease that the client
// asks for: before there is a session, nobody knows whether the servers cut it.
func CheckStopBefore(asked time.Duration, client *session.Client) error {
	if lease := client.LeaseAsked(); asked < 0 || asked > lease/4 {
		return fmt.Errorf("Config.StopBefore is %v; want up to %v, a quarter of session.Config.Lease (%v), or 0 for %v", asked, lease/4, lease, lease/16)
	}
	return nil
}

// Bounds of a Config.DrainTimeout, and of other times for which a recipe may be told to wait.
const (
	defaultDrainTimeout = 30 * time.Second
	Longest             = 24 * time.Hour
)

// DrainTimeout returns a Config.DrainTimeout, checked: the default for none.
func DrainTimeout(asked time.Duration) (time.Duration, error) {
	if asked < 0 || asked > Longest {
		return asked, fmt.Errorf("Config.DrainTimeout is %v; want 0 for %v, or up to %v", asked, defaultDrainTimeout, Longest)
	}
	return cmp.Or(asked, defaultDrainTimeout), nil
}

// TellCut logs a line if the lease was cut so much that StopBefore was cut, too.
func TellCut(log *slog.Logger, asked, used time.Duration) {
	if used < asked {
		log.Warn("StopBefore is cut to a quarter of the lease", "asked", asked, "used", used)
	}
}

// A Wait is how to wait for a place.
type Wait struct {
	Clock clock.Clock
	// Need is how long a lease must run at least to be of use.
	Need time.Duration
	// Ready, if set, is asked before each step. An error ends the wait.
	Ready func() error
	// Again has a signal when the answer of Ready has changed.
	Again <-chan struct{}
	// Tell is called after every step: with how the place stood and how it stands.
	Tell func(last, now line.Standing)
}

// Until waits until the place may be held, and returns the lease by which it is.
func (w Wait) Until(ctx context.Context, s *session.Session, p Place) (*session.Lease, error) {
	timer := clock.NewTimer(w.Clock)
	defer timer.Stop()
	var last line.Standing
	for {
		if w.Ready != nil {
			if err := w.Ready(); err != nil {
				return nil, err
			}
		}
		now, err := p.Step(ctx, w.Need)
		if err != nil {
			return nil, err
		}
		w.Tell(last, now)
		last = now
		if now.Lease != nil {
			return now.Lease, nil
		}
		if ctx.Err() != nil { // Tell has ended it, and the next step would fail because of that
			return nil, context.Cause(ctx)
		}
		timer.Reset(now.Next)
		select {
		case <-p.Woken():
		case <-w.Again:
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.Done():
			return nil, s.Err()
		}
	}
}

// A Guard watches a place that is held. It ends what is held when the znode is gone or the session
// is over.
type Guard struct {
	Clock clock.Clock
	Held  *held.Held
	// Failed: a step failed. The lease decides whether that ends anything. It must not block.
	Failed func(error)
}

// Until watches a place until ctx ends. ctx is Held's Context or DrainContext, or one derived from
// these: when the Guard ends what is held, it ends, too.
func (g Guard) Until(ctx context.Context, s *session.Session, p Place) {
	timer := clock.NewTimer(g.Clock)
	defer timer.Stop()
	for ctx.Err() == nil {
		// A step may have to wait for a connection; the end of ctx ends it.
		now, err := p.Step(ctx, 0)
		next := now.Next
		switch {
		case errors.Is(err, line.ErrGone):
			g.Held.End(recipe.ReasonNodeDeleted, nil)
		case err != nil && ctx.Err() == nil && s.Err() == nil:
			g.Failed(err)
			next = s.LeaseTime() / 4
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-s.Done():
			g.Held.End(recipe.ReasonSessionLost, s.Err())
		case <-p.Woken():
		case <-timer.C:
		}
	}
}

// Drain waits for the work to stop, while the place is still held: it is free for others only when
// its znode is gone. As long as the DrainContext lasts, Drain watches the place. When the work has
// stopped, the caller first calls Held.Finish, which ends the DrainContext, and then closes
// stopped. Drain reports false if timeout has passed before the work had stopped or the session was
// over.
func (g Guard) Drain(s *session.Session, p Place, stopped <-chan struct{}, timeout time.Duration) bool {
	ctx, cancel := context.WithCancel(g.Held.DrainContext())
	defer cancel()
	late := make(chan struct{})
	defer g.Clock.AfterFunc(timeout, func() {
		close(late)
		cancel()
	})()
	g.Until(ctx, s, p)
	select {
	case <-stopped:
	case <-s.Done():
	case <-late:
		return false
	}
	return true
}

// Await waits until left is closed. If ctx ends first, the error is its cause. If left is closed
// already, there is no error, also when ctx has ended.
func Await(ctx context.Context, left <-chan struct{}) error {
	select {
	case <-left:
	case <-ctx.Done():
		select {
		case <-left:
		default:
			return context.Cause(ctx)
		}
	}
	return nil
}

// Result is the error of work that was done while something was held. lost is why that was lost
// before the work had stopped, or nil.
func Result(lost *recipe.EndedError, err error) error {
	switch {
	case lost == nil || errors.Is(err, lost.Reason):
		return err
	case err == nil:
		return lost
	}
	return fmt.Errorf("%w; the work returned: %w", lost, err)
}
