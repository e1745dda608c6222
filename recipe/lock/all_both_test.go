package lock_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// several are a client's locks below the test's directory.
func (x *contest) several(client *session.Client, names ...string) []*lock.Lock {
	x.T.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, x.Dir+"/"+name)
	}
	return locks(x.T, client, paths...)
}

func TestSeveralLocksAreHeldTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.Client(session.Config{}), x.Client(session.Config{})
		set, err := lock.All(await.Context(t), x.several(a, "x", "y", "z")...)
		shared.Must(t, err)
		if !set.Valid() || set.Remaining() <= 0 || len(set.Held()) != 3 || set.Held()[1].Token() == 0 {
			t.Errorf("valid %v", set.Valid())
		}
		for _, l := range x.several(b, "x", "y", "z") {
			_, err := l.TryAcquire(await.Context(t))
			want(t, err, lock.ErrBusy)
		}
		for _, l := range x.several(a, "x", "y", "z") {
			_, err := l.Acquire(set.Context())
			want(t, err, lock.ErrNested)
		}
		_, err = lock.All(set.Context(), x.several(a, "w", "y")...)
		want(t, err, lock.ErrNested)
		done := x.Dir + "/done"
		results, err := set.Multi(t.Context(), &zk.CreateRequest{Path: done, Acl: zk.WorldACL(zk.PermAll)})
		if err != nil || len(results) != 1 || results[0].String != done {
			t.Errorf("%v, %v", results, err)
		}
		shared.Must(t, set.Release(t.Context()))
		if set.Valid() || set.Context().Err() == nil {
			t.Error("it is held after its release")
		}
		want(t, context.Cause(set.Context()), recipe.ReasonReleased)
		_, err = set.Multi(t.Context())
		want(t, err, recipe.ErrNotHeld)
		set, err = lock.All(await.Context(t), x.several(b, "z", "x")...)
		shared.Must(t, err)
		shared.Must(t, set.Release(t.Context()))
	})
}

// Opposite orders, and now and then a lost connection.
func TestOppositeOrdersDoNotDeadlock(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		n := x.rounds(1000/rounds.Stride(10), 20)
		done := make(chan struct{}, 3)
		inside := map[string]*atomic.Int32{"x": {}, "y": {}, "z": {}}
		for who, names := range [][]string{{"x", "y"}, {"y", "x"}, {"y", "z", "x"}} {
			proxies := shared.Proxies(t, x.Servers)
			ls := x.several(x.ClientAt(proxies, session.Config{}), names...)
			rng := rand.New(rand.NewPCG(1, uint64(who)))
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range n {
					set, err := lock.All(await.Context(t), ls...)
					if err != nil {
						t.Errorf("%v, round %d: %v", names, i, err)
						return
					}
					for _, name := range names {
						if inside[name].Add(1) > 1 && set.Valid() {
							t.Errorf("two hold %s", name)
						}
					}
					time.Sleep(time.Millisecond)
					if rng.IntN(10) == 0 {
						proxies.Each(func(p *faultproxy.Proxy) { p.Cut(false) })
					}
					for _, name := range names {
						inside[name].Add(-1)
					}
					set.Release(await.Context(t))
				}
			}()
		}
		for range 3 {
			<-done
		}
	})
}
