package semaphore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit is lost while the work stops. DrainContext tells why, before another has the permit, and so does Do.
func TestAPermitThatIsLostWhileTheWorkStops(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		want    []error // one of them
		lose    func(s *stage, a *process, p *semaphore.Permit)
	}{
		"its znode is deleted": {0, []error{recipe.ReasonNodeDeleted}, func(s *stage, _ *process, p *semaphore.Permit) {
			shared.Must(s.T, s.Admin().Delete(s.T.Context(), p.Node(), -1))
		}},
		"its session is ended": {0, []error{recipe.ReasonNodeDeleted, recipe.ReasonSessionLost}, func(s *stage, a *process, _ *semaphore.Permit) {
			s.ExpireSession(s.Session(a.client).ID())
		}},
		"it takes too long": {3 * stageD, []error{recipe.ReasonCancelled}, func(*stage, *process, *semaphore.Permit) {}},
		"it is cut off":     {0, []error{recipe.ReasonLeaseExpired}, func(_ *stage, a *process, _ *semaphore.Permit) { a.host.Drop() }},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				wanted := func(err error) {
					t.Helper()
					for _, kind := range c.want {
						if errors.Is(err, kind) {
							return
						}
					}
					t.Errorf("error %v; want one of %v", err, c.want)
				}
				a, b := s.process("a", semaphore.Config{DrainTimeout: c.timeout}), s.process("b")
				ctx, stop := context.WithCancel(t.Context())
				inside, leave, done := make(chan *semaphore.Permit), make(chan struct{}), make(chan error, 1)
				go func() {
					done <- a.Do(ctx, func(_ context.Context, p *semaphore.Permit) error {
						s.check("a", p)
						inside <- p
						<-leave
						return nil
					})
				}()
				p := <-inside
				next := b.queue()
				stop()
				time.Sleep(2 * stageD)
				if p.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the work stops")
				}
				c.lose(s, a, p)
				second := <-next
				select {
				case <-p.DrainContext().Done(): // not Err, which looks at the clock by itself
				default:
					t.Error("another has a permit while the drain goes on")
				}
				wanted(context.Cause(p.DrainContext()))
				close(leave)
				wanted(<-done)
				s.release(second)
			})
		})
	}
}
