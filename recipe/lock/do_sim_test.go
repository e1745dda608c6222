package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The lock is kept until f has stopped, whatever has told it to stop.
func TestDoKeepsTheLockUntilTheWorkHasStopped(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, done := make(chan *lock.Held), make(chan error)
		stopped := false
		go func() {
			done <- a.Do(ctx, func(ctx context.Context, h *lock.Held) error {
				inside <- h
				<-ctx.Done()
				time.Sleep(3 * stageT)
				stopped = true
				return nil
			})
		}()
		h := <-inside
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		cancel()
		<-h.Context().Done()
		want(t, context.Cause(h.Context()), recipe.ReasonCancelled)
		second := <-next
		if !stopped {
			t.Error("the next holds it while the work goes on")
		}
		if err := <-done; err != nil {
			t.Errorf("Do: %v", err)
		}
		release(t, second)
	})
}

func TestASecondAcquisitionUnderAHeldContext(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b", lock.Config{Reentrant: true})
		h := a.acquire()
		_, err := a.Acquire(h.Context())
		want(t, err, lock.ErrNested)
		_, err = a.TryAcquire(h.Context())
		want(t, err, lock.ErrNested)
		inner, cancel := context.WithTimeout(h.Context(), time.Hour)
		want(t, a.Do(inner, func(context.Context, *lock.Held) error { return nil }), lock.ErrNested)
		cancel()
		// Another lock under it is no nesting.
		other, err := lock.New(a.client, "/other", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		o, err := other.Acquire(h.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Acquire(o.Context())
		want(t, err, lock.ErrNested)
		release(t, o)
		release(t, h)

		h = b.acquire()
		again, err := b.Acquire(h.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again.Token() != h.Token() || len(s.inLine()) != 1 {
			t.Error("the second is a place of its own")
		}
		release(t, h)
		if h.Valid() || !again.Valid() || len(s.inLine()) != 1 {
			t.Error("the second ended with the first")
		}
		release(t, again)
		release(t, again)
		if n := len(s.inLine()); n != 0 {
			t.Errorf("%d in line", n)
		}
	})
}

// The end of a nested Do's context is not the end of what is held.
func TestANestedDoEndsByItself(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a", lock.Config{Reentrant: true})
		err := a.Do(t.Context(), func(ctx context.Context, h *lock.Held) error {
			inner, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			err := a.Do(inner, func(ctx context.Context, _ *lock.Held) error { <-ctx.Done(); return nil })
			if err != nil || !h.Valid() {
				t.Errorf("nested: %v; valid %v", err, h.Valid())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// The lease runs out while the work stops. Then another has the lock before f has returned, and Do
// says so.
func TestDoReportsALeaseThatRunsOutWhileTheWorkStops(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		ctx, cancel := context.WithCancel(t.Context())
		inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- a.Do(ctx, func(context.Context, *lock.Held) error { close(inside); <-leave; return nil })
		}()
		<-inside
		next := b.begin()
		cancel()
		await.Sleep(stageD)
		a.host.Drop()
		second := <-next
		close(leave)
		if err := <-done; !errors.Is(err, recipe.ReasonLeaseExpired) && !errors.Is(err, recipe.ReasonSessionLost) {
			t.Errorf("Do returned %v", err)
		}
		release(t, second)
	})
}

// A unit of work under DrainContext may acquire the same lock again, or is told that it must not,
// also while the work is stopping.
func TestASecondAcquisitionWhileTheWorkStops(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b", lock.Config{Reentrant: true})
		stopping := func(p *process, acquire func(ctx context.Context)) {
			ctx, stop := context.WithCancel(t.Context())
			err := p.Do(ctx, func(_ context.Context, h *lock.Held) error {
				stop()
				<-h.Context().Done()
				begun := time.Now()
				acquire(h.DrainContext())
				if took := time.Since(begun); took > stageD {
					t.Errorf("it waited for itself, for %v", took)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		stopping(a, func(ctx context.Context) {
			_, err := a.Acquire(ctx)
			want(t, err, lock.ErrNested)
		})
		stopping(b, func(ctx context.Context) {
			again, err := b.Acquire(ctx)
			if err != nil {
				t.Fatal(err)
			}
			release(t, again)
		})
	})
}

// A nested Do whose context comes from another lock, acquired under the first, ends with the first,
// too. It knows of both: a third acquisition under its context is no wait for itself.
func TestANestedDoUnderAnotherLock(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a", lock.Config{Reentrant: true})
		other, err := lock.New(a.client, "/other", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		h := a.acquire()
		o, err := other.Acquire(h.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = a.Do(o.Context(), func(ctx context.Context, _ *lock.Held) error {
			_, err := other.TryAcquire(ctx)
			want(t, err, lock.ErrNested)
			shared.Must(t, s.Admin().Delete(t.Context(), h.Node(), -1))
			select {
			case <-ctx.Done():
			case <-time.After(stageT):
			}
			want(t, context.Cause(ctx), recipe.ReasonNodeDeleted)
			return nil
		})
		want(t, err, recipe.ReasonNodeDeleted)
		release(t, o)
	})
}
