package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The lock is lost while the work stops. DrainContext tells why, before another has the lock, and
// so does Do.
func TestALockThatIsLostWhileTheWorkStops(t *testing.T) {
	for name, loss := range shared.Losses {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a", lock.Config{DrainTimeout: loss.DrainTimeout}), s.process("b")
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
				await.Sleep(2 * stageD)
				if h.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the work stops")
				}
				if loss.Lose != nil {
					loss.Lose(s.Stage, "a", h.Node())
				}
				second := <-next // compared with the first
				loss.Told(t, context.Cause(h.DrainContext()))
				close(leave)
				loss.Told(t, <-done)
				release(t, second)
			})
		})
	}
}

// A unit of work that is finished under DrainContext may call what takes the same lock by Do. That
// part is not cut short, whether the work is stopped before it begins or meanwhile. It is stopped
// when the lock is lost.
func TestANestedDoOfAUnitThatIsFinished(t *testing.T) {
	for name, c := range map[string]struct{ before, lost bool }{
		"stopped before":          {before: true},
		"stopped meanwhile":       {},
		"lost, stopped before":    {before: true, lost: true},
		"lost, stopped meanwhile": {lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.process("a", lock.Config{Reentrant: true})
				ctx, stop := context.WithCancel(t.Context())
				err := a.Do(ctx, func(_ context.Context, h *lock.Held) error {
					stopped := func() {
						stop()
						<-h.Context().Done()
					}
					if c.before {
						stopped()
					}
					return a.Do(h.DrainContext(), func(ctx context.Context, again *lock.Held) error {
						if !c.before {
							stopped()
						}
						if time.Sleep(stageD); ctx.Err() != nil || again.DrainContext().Err() != nil {
							t.Errorf("a part of a unit that may be finished is to stop: %v", context.Cause(ctx))
						}
						if again.Valid() {
							t.Error("new work may begin")
						}
						if !c.lost {
							return nil
						}
						a.host.Drop()
						<-ctx.Done()
						want(t, context.Cause(ctx), recipe.ReasonLeaseExpired)
						return nil
					})
				})
				if c.lost {
					want(t, err, recipe.ReasonLeaseExpired)
				} else if err != nil {
					t.Errorf("Do: %v", err)
				}
			})
		})
	}
}

// The client is closed while a unit of work under several locks is in progress. It may be finished:
// nobody else has any of the locks meanwhile. If one of the locks is lost, or is not kept any
// longer, the work has to stop.
func TestAUnitOfWorkUnderSeveralLocksIsFinished(t *testing.T) {
	for name, c := range map[string]struct {
		drain time.Duration // of the second lock
		want  recipe.Reason
		lose  func(s *stage, set *lock.Set)
	}{
		"it goes on": {0, recipe.ReasonClosed, nil},
		"a znode is deleted": {0, recipe.ReasonNodeDeleted, func(s *stage, set *lock.Set) {
			shared.Must(s.T, s.Admin().Delete(s.T.Context(), set.Held()[1].Node(), -1))
		}},
		"one is released":     {0, recipe.ReasonClosed, func(s *stage, set *lock.Set) { set.Held()[1].Release(s.T.Context()) }},
		"one is given away":   {3 * stageD, recipe.ReasonClosed, func(*stage, *lock.Set) {}},
		"its host is cut off": {0, recipe.ReasonLeaseExpired, func(s *stage, _ *lock.Set) { s.Host("a").Drop() }},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				shared.Must(t, s.Admin().EnsurePath(t.Context(), "/work", nil))
				write := &zk.SetDataRequest{Path: "/work", Data: []byte("a"), Version: -1}
				a, b := s.Client("a"), s.Client("b")
				ls := locks(t, a, "/x")
				second, err := lock.New(a, "/y", lock.Config{DrainTimeout: c.drain})
				if err != nil {
					t.Fatal(err)
				}
				set, err := lock.All(t.Context(), append(ls, second)...)
				if err != nil {
					t.Fatal(err)
				}
				var next []<-chan *lock.Held
				for _, l := range locks(t, b, "/x", "/y") {
					next = append(next, shared.Begin(s.Stage, "b", func(ctx context.Context) (*lock.Held, error) {
						h, err := l.Acquire(ctx)
						select {
						case <-set.DrainContext().Done(): // not Err, which looks at the clock by itself
						default:
							t.Errorf("another has %s while the drain goes on", l.Path())
						}
						return h, err
					}))
					s.Eventually("line of two", func() bool { return s.left(l.Path()) == 2 })
				}
				go a.Close()
				<-set.Context().Done()
				want(t, context.Cause(set.Context()), recipe.ReasonClosed)
				await.Sleep(2 * stageD)
				if set.Valid() || set.DrainContext().Err() != nil {
					t.Fatalf("valid %v, drain %v", set.Valid(), context.Cause(set.DrainContext()))
				}
				_, err = ls[0].Acquire(set.DrainContext())
				want(t, err, lock.ErrNested)
				if _, err := set.Multi(t.Context(), write); err != nil {
					t.Errorf("a guarded write while the work stops: %v", err)
				}
				if c.lose != nil {
					c.lose(s, set)
					select {
					case <-set.DrainContext().Done():
					case <-time.After(stageT):
					}
					want(t, context.Cause(set.DrainContext()), c.want)
					_, err := set.Multi(t.Context(), write)
					want(t, err, recipe.ErrNotHeld)
				}
				set.Release(t.Context())
				want(t, context.Cause(set.DrainContext()), c.want)
				for _, n := range next {
					release(t, <-n)
				}
			})
		})
	}
}
