package semaphore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The permit is kept until f has returned, also if the context of Do has ended.
func TestDoKeepsThePermitUntilTheWorkHasStopped(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, done := make(chan *semaphore.Permit), make(chan error)
		stopped := false
		go func() {
			done <- a.Do(ctx, func(ctx context.Context, p *semaphore.Permit) error {
				inside <- p
				<-ctx.Done()
				time.Sleep(3 * stageT)
				stopped = true
				return nil
			})
		}()
		p := <-inside
		next := b.queue()
		cancel()
		<-p.Context().Done()
		if cause := context.Cause(p.Context()); !errors.Is(cause, recipe.ReasonCancelled) || p.DrainContext().Err() != nil {
			t.Errorf("the cause is %v, the drain %v", cause, p.DrainContext().Err())
		}
		second := <-next
		if !stopped {
			t.Error("the next has the permit while the work goes on")
		}
		if err := <-done; err != nil {
			t.Errorf("Do: %v", err)
		}
		s.release(second)
	})
}

// The lease runs out while the work stops. Then another has the permit before f has returned, and
// Do says so.
func TestDoReportsALeaseThatRunsOutWhileTheWorkStops(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- a.Do(ctx, func(context.Context, *semaphore.Permit) error { close(inside); <-leave; return nil })
		}()
		<-inside
		next := b.queue()
		cancel()
		await.Sleep(stageD)
		a.host.Drop()
		second := <-next
		close(leave)
		if err := <-done; !errors.Is(err, recipe.ReasonLeaseExpired) && !errors.Is(err, recipe.ReasonSessionLost) {
			t.Errorf("Do returned %v", err)
		}
		s.release(second)
	})
}
