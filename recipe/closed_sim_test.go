package recipe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A cache, an observer and the like end with one error, whether they were closed or their client
// was.
func TestWhatWasClosedSaysSo(t *testing.T) {
	for _, byClient := range []bool{false, true} {
		client := stage.Offline(t)
		c, list := must(cache.New(client, "/a", cache.Config{})), must(group.New(client, "/a", group.Config{})).Watch()
		o, w := must(election.New(client, "/a", election.Config{})).Observe(), must(value.New(client, "/a", value.Config{})).Watch()
		if byClient {
			client.Close()
		} else {
			c.Close()
			list.Close()
			o.Close()
			w.Stop()
		}
		next := func(_ any, err error) error { return err }
		for name, err := range map[string]error{
			"cache.Err": c.Err(), "cache.Wait": c.Wait(t.Context()), "cache.Next": next(c.Next(t.Context())), "cache.Fresh": c.Fresh(t.Context()),
			"Members.Next": next(list.Next(t.Context())), "Members.Fresh": next(list.Fresh(t.Context())), "Members.Status": list.Status().Over,
			"Observer.Next": next(o.Next(t.Context())), "Watcher.Next": next(w.Next(t.Context())),
		} {
			if !errors.Is(err, session.ErrClosed) || errors.Is(err, context.Canceled) {
				t.Errorf("%s, the client closed: %v: %v; want an ErrClosed", name, byClient, err)
			}
		}
	}
}

// Each call on a client that is closed tells that, unless it has nothing to do any more.
func TestACallOnAClosedClientSaysSo(t *testing.T) {
	for name, play := range scenes {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{InMemory: true, Tick: 2 * time.Second, Logf: func(string, ...any) {}})
			open := func(host string) *session.Client {
				return must(session.Open(e.ConnectString(), session.Config{Dial: e.Host(host).Dial}))
			}
			own, other := open("own"), open("other")
			defer other.Close()
			var ends []func()
			calls := play(t.Context(), own, other, func(f func()) { ends = append(ends, f) })
			own.Close()
			for call, f := range calls {
				err := f(t.Context())
				over := errors.Is(err, recipe.ErrNotHeld) || err == nil && (call == "Release" || call == "Leave")
				if !over && !errors.Is(err, session.ErrClosed) {
					t.Errorf("%s.%s: %v", name, call, err)
				}
			}
			for _, end := range ends {
				end()
			}
		})
	}
}
