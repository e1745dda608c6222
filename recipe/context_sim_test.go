package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A call is one that takes a context. It is made by a client that no server answers.
type call = func(ctx context.Context) error

// A scene makes the calls of one recipe. The other client's lock, permit and so on keep the calls
// waiting. What has an end is ended by calling later.
type scene func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call

var scenes = map[string]scene{
	"election": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		leads := must(must(election.New(other, "/e", election.Config{})).Campaign(ctx))
		later(func() { leads.Release(ctx) })
		waits := func() *election.Election { return must(election.New(own, "/e", election.Config{})) }
		term := func() *election.Term { return must(must(election.New(own, "/mine", election.Config{})).Campaign(ctx)) }()
		observer := waits().Observe()
		later(observer.Close)
		later(func() { term.Release(ctx) })
		return map[string]call{
			"Run": func(ctx context.Context) error {
				return waits().Run(ctx, func(context.Context, *election.Term) error { return nil })
			},
			"Campaign":   func(ctx context.Context) error { _, err := waits().Campaign(ctx); return err },
			"Candidates": func(ctx context.Context) error { _, err := waits().Candidates(ctx); return err },
			"Next": func(ctx context.Context) error {
				for {
					if _, err := observer.Next(ctx); err != nil {
						return err
					}
				}
			},
			"Multi":    func(ctx context.Context) error { _, err := term.Multi(ctx); return err },
			"Proclaim": func(ctx context.Context) error { return term.Proclaim(ctx, nil) },
			"Release":  func(ctx context.Context) error { return term.Release(ctx) },
		}
	},
	"lock": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		held := must(must(lock.New(other, "/l", lock.Config{})).Acquire(ctx))
		later(func() { held.Release(ctx) })
		l, free := must(lock.New(own, "/l", lock.Config{})), must(lock.New(own, "/free", lock.Config{}))
		mine := func(path string) *lock.Held { return must(must(lock.New(own, path, lock.Config{})).Acquire(ctx)) }
		rw := must(lock.NewRW(own, "/rw", lock.Config{}))
		writes := must(rw.Write().Acquire(ctx))
		first, set := mine("/first"), must(lock.All(ctx, must(lock.New(own, "/x", lock.Config{})), must(lock.New(own, "/y", lock.Config{}))))
		return map[string]call{
			"Acquire":    func(ctx context.Context) error { _, err := l.Acquire(ctx); return err },
			"TryAcquire": func(ctx context.Context) error { _, err := free.TryAcquire(ctx); return err },
			"Do": func(ctx context.Context) error {
				return l.Do(ctx, func(context.Context, *lock.Held) error { return nil })
			},
			"All":         func(ctx context.Context) error { _, err := lock.All(ctx, free, l); return err },
			"Contenders":  func(ctx context.Context) error { _, err := l.Contenders(ctx); return err },
			"Revoke":      func(ctx context.Context) error { return l.Revoke(ctx) },
			"Multi":       func(ctx context.Context) error { _, err := first.Multi(ctx); return err },
			"Release":     func(ctx context.Context) error { return first.Release(ctx) },
			"Downgrade":   func(ctx context.Context) error { _, err := writes.Downgrade(ctx); return err },
			"Set.Multi":   func(ctx context.Context) error { _, err := set.Multi(ctx); return err },
			"Set.Release": func(ctx context.Context) error { return set.Release(ctx) },
		}
	},
	"semaphore": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		held := must(must(semaphore.New(other, "/s", 1, semaphore.Config{})).Acquire(ctx))
		later(func() { held.Release(ctx) })
		s, free := must(semaphore.New(own, "/s", 1, semaphore.Config{})), must(semaphore.New(own, "/sf", 2, semaphore.Config{Slots: true}))
		mine := must(free.Acquire(ctx))
		return map[string]call{
			"Acquire":    func(ctx context.Context) error { _, err := s.Acquire(ctx); return err },
			"free":       func(ctx context.Context) error { _, err := free.Acquire(ctx); return err },
			"TryAcquire": func(ctx context.Context) error { _, err := free.TryAcquire(ctx); return err },
			"Holders":    func(ctx context.Context) error { _, err := s.Holders(ctx); return err },
			"Resize":     func(ctx context.Context) error { return s.Resize(ctx, 3) },
			"Multi":      func(ctx context.Context) error { _, err := mine.Multi(ctx); return err },
			"Release":    func(ctx context.Context) error { return mine.Release(ctx) },
		}
	},
	"group": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		g := func(id string) *group.Group { return must(group.New(own, "/g", group.Config{ID: id})) }
		m, leaves := must(g("m").Join(ctx)), must(g("n").Join(ctx))
		list := g("").Watch()
		later(list.Close)
		later(func() { m.Leave(ctx) })
		must(list.Next(ctx))
		return map[string]call{
			"Join":  func(ctx context.Context) error { _, err := g("j").Join(ctx); return err },
			"Set":   func(ctx context.Context) error { return m.Set(ctx, []byte("x")) },
			"Leave": func(ctx context.Context) error { return leaves.Leave(ctx) },
			"Next":  func(ctx context.Context) error { _, err := list.Next(ctx); return err },
			"Fresh": func(ctx context.Context) error { _, err := list.Fresh(ctx); return err },
		}
	},
	"value": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		v, n := must(value.New(own, "/v", value.Config{})), must(value.NewCounter(own, "/n", value.CounterConfig{}))
		w := v.Watch()
		must(w.Next(ctx))
		return map[string]call{
			"Get":           func(ctx context.Context) error { _, err := v.Get(ctx); return err },
			"CompareAndSet": func(ctx context.Context) error { _, err := v.CompareAndSet(ctx, value.Versioned{}, nil); return err },
			"Update": func(ctx context.Context) error {
				_, err := v.Update(ctx, func([]byte) ([]byte, error) { return nil, nil })
				return err
			},
			"Next":                  func(ctx context.Context) error { _, err := w.Next(ctx); return err },
			"Counter.Add":           func(ctx context.Context) error { _, err := n.Add(ctx, 1); return err },
			"Counter.Reserve":       func(ctx context.Context) error { _, err := n.Reserve(ctx, 1); return err },
			"Counter.CompareAndSet": func(ctx context.Context) error { return n.CompareAndSet(ctx, 0, 1) },
			"Counter.Get":           func(ctx context.Context) error { _, err := n.Get(ctx); return err },
		}
	},
	"cache": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		c := must(cache.New(own, "/c", cache.Config{}))
		later(c.Close)
		unloaded := func() *cache.Cache {
			c := must(cache.New(own, "/c2", cache.Config{}))
			later(c.Close)
			return c
		}
		if err := c.Wait(ctx); err != nil {
			panic(err)
		}
		return map[string]call{
			"Next":     func(ctx context.Context) error { _, err := c.Next(ctx); return err },
			"Fresh":    func(ctx context.Context) error { return c.Fresh(ctx) },
			"Wait":     func(ctx context.Context) error { return unloaded().Wait(ctx) },
			"Get":      func(ctx context.Context) error { _, _, err := unloaded().Get(ctx, "/c2"); return err },
			"Snapshot": func(ctx context.Context) error { _, err := unloaded().Snapshot(ctx); return err },
		}
	},
	"barrier": func(ctx context.Context, own, other *session.Client, later func(func())) map[string]call {
		b := must(barrier.New(own, "/b", barrier.Config{}))
		if err := must(barrier.New(other, "/b", barrier.Config{})).Raise(ctx); err != nil {
			panic(err)
		}
		alone := must(must(barrier.NewDouble(own, "/one", 1, barrier.Config{})).Enter(ctx))
		return map[string]call{
			"Raise": func(ctx context.Context) error { return must(barrier.New(own, "/b2", barrier.Config{})).Raise(ctx) },
			"Lower": func(ctx context.Context) error { return b.Lower(ctx) },
			"Wait":  func(ctx context.Context) error { return b.Wait(ctx) },
			"Enter": func(ctx context.Context) error {
				_, err := must(barrier.NewDouble(own, "/d", 2, barrier.Config{})).Enter(ctx)
				return err
			},
			"Leave": func(ctx context.Context) error { return alone.Leave(ctx) },
		}
	},
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// Every call returns when its context ends, though no server answers: one that has sent its
// requests before, and one that has not. The client closes all the same, and nothing is left.
func TestACallReturnsByItsContextWhileNobodyAnswers(t *testing.T) {
	for name, play := range scenes {
		for _, waiting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, waiting %v", name, waiting), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { inSilence(t, play, waiting) })
			})
		}
	}
}

// slack is what the calls wait that leave the line where that is possible.
var slack = map[string]time.Duration{"Run": 100 * time.Millisecond, "Campaign": 100 * time.Millisecond}

// errEnough wraps answers to other requests, as the cause of an errgroup's context may. They are no
// answers to what a call has asked.
var errEnough = errors.Join(errors.New("enough"), zk.ErrNoNode, zk.ErrNodeExists, zk.ErrNoAuth)

func inSilence(t *testing.T, play scene, waiting bool) {
	e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
	open := func(host string) *session.Client {
		return must(session.Open(e.ConnectString(), session.Config{Timeout: 20 * time.Second, Lease: 4 * time.Second, Dial: e.Host(host).Dial}))
	}
	own, other := open("own"), open("other")
	var ends []func()
	var mu sync.Mutex // guards ends
	calls := play(t.Context(), own, other, func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		ends = append(ends, f)
	})
	if !waiting {
		e.Host("own").Hold()
	}
	type returned struct {
		name string
		err  error
		at   time.Time
	}
	got := make(chan returned, len(calls))
	ctx, cancel := context.WithCancelCause(t.Context())
	for name, f := range calls {
		go func() {
			err := f(ctx)
			got <- returned{name, err, time.Now()}
		}()
	}
	await.Sleep(time.Second)
	e.Host("own").Hold()
	await.Sleep(100 * time.Millisecond)
	ended := time.Now()
	cancel(errEnough)
	for range calls {
		r := <-got
		if late := r.at.Sub(ended); late > slack[r.name] {
			t.Errorf("%s returns %v after its context, with %v", r.name, late, r.err)
		}
		var permanent *recipe.PermanentError
		if !waiting && r.err == nil || errors.As(r.err, &permanent) {
			t.Errorf("%s returns %v", r.name, r.err)
		}
	}
	e.Host("own").Heal()
	for _, end := range ends {
		end()
	}
	own.Close()
	other.Close()
	for _, n := range e.Nodes() {
		if n.Stat.EphemeralOwner != 0 {
			t.Errorf("%s is left", n.Path)
		}
	}
}
