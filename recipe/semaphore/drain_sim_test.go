package semaphore_test

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit is lost while the work stops. DrainContext tells why, before another has the permit,
// and so does Do.
func TestAPermitThatIsLostWhileTheWorkStops(t *testing.T) {
	for name, loss := range shared.Losses {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a", semaphore.Config{DrainTimeout: loss.DrainTimeout}), s.process("b")
				ctx, stop := context.WithCancel(t.Context())
				inside, leave, done := make(chan *semaphore.Permit), make(chan struct{}), make(chan error, 1)
				go func() {
					done <- a.Do(ctx, func(_ context.Context, p *semaphore.Permit) error {
						s.check(t, "a", p)
						inside <- p
						<-leave
						return nil
					})
				}()
				p := <-inside
				next := b.queue()
				stop()
				await.Sleep(2 * stageD)
				if p.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the work stops")
				}
				if loss.Lose != nil {
					loss.Lose(s.Stage, "a", p.Node())
				}
				second := <-next
				select {
				case <-p.DrainContext().Done(): // not Err, which looks at the clock by itself
				default:
					t.Error("another has a permit while the drain goes on")
				}
				loss.Told(t, context.Cause(p.DrainContext()))
				close(leave)
				loss.Told(t, <-done)
				s.release(second)
			})
		})
	}
}
