package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// way is how a lock is acquired and released. held is called when it is held.
type way struct {
	run    func(ctx context.Context, b *rwProcess, held func()) error
	errors []error // that it may return whatever happens
	late   bool    // who joins at the same time may have to wait for a lease
}

// ways are all of them, by name.
var ways = map[string]way{
	"write": {run: func(ctx context.Context, b *rwProcess, held func()) error {
		return b.Write().Do(ctx, func(context.Context, *lock.Held) error { held(); return nil })
	}},
	"read": {run: func(ctx context.Context, b *rwProcess, held func()) error {
		return b.Read().Do(ctx, func(context.Context, *lock.Held) error { held(); return nil })
	}},
	"try to read": {run: func(ctx context.Context, b *rwProcess, held func()) error {
		h, err := b.Read().TryAcquire(ctx)
		if err != nil {
			return err
		}
		held()
		return h.Release(ctx)
	}, errors: []error{lock.ErrBusy}},
	// The attempt fails if its request is lost. A name that is not sequential uses up a number, and
	// the record does not tell so if somebody joins at that moment.
	"downgrade": {run: func(ctx context.Context, b *rwProcess, held func()) error {
		writer, err := b.Write().Acquire(ctx)
		if err != nil {
			return err
		}
		defer writer.Release(ctx)
		held()
		reader, err := writer.Downgrade(ctx)
		if err != nil {
			return err
		}
		return reader.Release(ctx)
	}, errors: []error{recipe.ErrNotHeld, zk.ErrConnectionClosed}, late: true},
	"several": {run: func(ctx context.Context, b *rwProcess, held func()) error {
		other, err := lock.New(b.client, stagePath+"2", lock.Config{Cleanup: true})
		if err != nil {
			return err
		}
		set, err := lock.All(ctx, other, b.Write())
		if err != nil {
			return err
		}
		held()
		return set.Release(ctx)
	}},
}

// A fault may happen at any request of a contender that acquires and releases a lock. The path is
// new, or the lock is free, or held by another for a while. Nothing is left behind, the next in
// line gets the lock in time, and the lock can be acquired again.
func TestNothingIsLeftWhateverHappensAtEveryRequest(t *testing.T) {
	for name, w := range ways {
		shared.EachFault(t, name, func(t *testing.T, f shared.Fault) {
			shared.AtEachRequest(t, f, 1, func(x *shared.Stage, c *shared.Call) {
				s, a, b := twoAtOne(x)
				release(x.T, a.acquire(writing))
				w.call(c, a)
				s.sound(c, a, b)
			})
		})
		shared.EachFault(t, name+", another holds it", func(t *testing.T, f shared.Fault) {
			shared.AtEachRequest(t, f, rounds.Stride(5), func(x *shared.Stage, c *shared.Call) {
				s, a, b := twoAtOne(x)
				held, released := b.acquire(writing), make(chan struct{})
				time.AfterFunc(2*stageD, func() { release(x.T, held); close(released) })
				w.call(c, a)
				<-released
				s.sound(c, a, b)
			})
		})
	}
	shared.EachFault(t, "new path", func(t *testing.T, f shared.Fault) {
		shared.AtEachRequest(t, f, 1, func(x *shared.Stage, c *shared.Call) {
			s, a, b := twoAtOne(x)
			ways["write"].call(c, a)
			s.sound(c, a, b)
		})
	})
}

// twoAtOne makes two processes with one lock. Each has a session.
func twoAtOne(x *shared.Stage) (s *stage, a, b *rwProcess) {
	s = &stage{Stage: x}
	a, b = s.rw("a"), s.rw("b")
	s.Session(a.client)
	s.Session(b.client)
	return s, a, b
}

// call lets a process make the call.
func (w way) call(c *shared.Call, a *rwProcess) {
	c.Late = w.late
	c.Make(func(ctx context.Context, held func()) error { return w.run(ctx, a, held) }, w.errors...)
}

// sound demands that the next one gets the lock in time, that the process of the call can acquire
// it again, and that nothing is left.
func (s *stage) sound(c *shared.Call, of, next *rwProcess) {
	s.T.Helper()
	c.InTime(func() { release(s.T, next.acquire(writing)) })
	release(s.T, of.acquire(reading))
	c.NothingLeft(stagePath, stagePath+"2")
}
