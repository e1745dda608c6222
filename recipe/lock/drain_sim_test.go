package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The lock is lost while the work stops. DrainContext tells why, before another has the lock, and so does Do.
func TestALockThatIsLostWhileTheWorkStops(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		want    []error // one of them
		lose    func(s *stage, a *process, h *lock.Held)
	}{
		"its znode is deleted": {0, []error{recipe.ReasonNodeDeleted}, func(s *stage, _ *process, h *lock.Held) {
			shared.Must(s.T, s.Admin().Delete(s.T.Context(), h.Node(), -1))
		}},
		"its session is ended": {0, []error{recipe.ReasonNodeDeleted, recipe.ReasonSessionLost}, func(s *stage, a *process, _ *lock.Held) {
			s.ExpireSession(s.Session(a.client).ID())
		}},
		"it takes too long": {3 * stageD, []error{recipe.ReasonCancelled}, func(*stage, *process, *lock.Held) {}},
		"it is cut off":     {0, []error{recipe.ReasonLeaseExpired}, func(_ *stage, a *process, _ *lock.Held) { a.host.Drop() }},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				wanted := func(err error) {
					t.Helper()
					for _, kind := range c.want {
						if errors.Is(err, kind) {
							return
						}
					}
					t.Errorf("error %v; want one of %v", err, c.want)
				}
				a, b := s.process("a", lock.Config{DrainTimeout: c.timeout}), s.process("b")
				ctx, stop := context.WithCancel(t.Context())
				inside, leave, done := make(chan *lock.Held), make(chan struct{}), make(chan error, 1)
				go func() {
					done <- a.Do(ctx, func(_ context.Context, h *lock.Held) error {
						s.turns.Begin(t, "a", h, false)
						inside <- h
						<-leave
						return nil
					})
				}()
				h := <-inside
				next := b.begin()
				stop()
				time.Sleep(2 * stageD)
				if h.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the work stops")
				}
				c.lose(s, a, h)
				second := <-next // compared with the first
				wanted(context.Cause(h.DrainContext()))
				close(leave)
				wanted(<-done)
				release(t, second)
			})
		})
	}
}
