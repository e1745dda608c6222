package recipe_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// useAll lets a client use every recipe that creates znodes, and returns when all is there. A
// client that is closed before release waits for those who hold something.
func useAll(t *testing.T, client *session.Client) (release func()) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	el, err := election.New(client, "/election", election.Config{})
	check(err)
	term, err := el.Campaign(ctx)
	check(err)
	l, err := lock.New(client, "/lock", lock.Config{})
	check(err)
	held, err := l.Acquire(ctx)
	check(err)
	sem, err := semaphore.New(client, "/semaphore", 2, semaphore.Config{})
	check(err)
	permit, err := sem.Acquire(ctx)
	check(err)
	g, err := group.New(client, "/group", group.Config{ID: "me", Data: []byte("10.0.0.7")})
	check(err)
	_, err = g.Join(ctx)
	check(err)
	counter, err := value.NewCounter(client, "/counter", value.CounterConfig{})
	check(err)
	_, err = counter.Add(ctx, 1)
	check(err)
	double, err := barrier.NewDouble(client, "/double", 1, barrier.Config{})
	check(err)
	_, err = double.Enter(ctx)
	check(err)
	single, err := barrier.New(client, "/barrier", barrier.Config{})
	check(err)
	check(single.Raise(ctx))
	ready, err := latch.New(client, "/latch", 2, latch.Config{})
	check(err)
	check(ready.CountDown(ctx, "me"))
	return func() { check(errors.Join(term.Release(ctx), held.Release(ctx), permit.Release(ctx))) }
}

var credentials = []session.Auth{session.Digest("service", "secret")}

// open opens a client on a host of its own, below a chroot.
func open(t *testing.T, e *zktest.Ensemble, host string, cfg session.Config) *session.Client {
	t.Helper()
	cfg.Dial = e.Host(host).Dial
	client, err := session.Open(e.ConnectString()+"/app", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// attempts are what somebody tries to do to a znode, and what comes of it.
func attempts(t *testing.T, eve *session.Session, path string) map[string]error {
	ctx := t.Context()
	_, _, read := eve.Get(ctx, path)
	_, _, list := eve.Children(ctx, path)
	_, create := eve.Create(ctx, strings.TrimSuffix(path, "/")+"/x", nil, 0, nil)
	_, write := eve.Set(ctx, path, nil, -1)
	return map[string]error{"read": read, "list": list, "create below": create, "write": write, "delete": eve.Delete(ctx, path, -1)}
}

// With credentials, what the recipes create by default is for them alone. Without any, everybody
// may do everything.
func TestWhatRecipesCreateBelongsToTheirCredentials(t *testing.T) {
	for name, auth := range map[string][]session.Auth{"with": credentials, "without": nil} {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
			defer useAll(t, open(t, e, "service", session.Config{Auth: auth}))()
			eve, err := open(t, e, "eve", session.Config{}).Session(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, node := range e.Nodes() {
				path, below := strings.CutPrefix(node.Path, "/app")
				if !below || auth == nil && node.Stat.EphemeralOwner != 0 {
					continue // with its end, others may go
				}
				n++
				for what, err := range attempts(t, eve, "/"+strings.TrimPrefix(path, "/")) {
					refused := errors.Is(err, zk.ErrNoAuth)
					if may := auth == nil; may && refused || !may && !refused && !(path == "" && what == "delete") {
						t.Errorf("%s credentials of the service, others try to %s %s: %v", name, what, node.Path, err)
					}
				}
			}
			if n < 12 {
				t.Errorf("%s: only %d znodes were tried", name, n)
			}
		})
	}
}

// READ for everybody, beside all for the own credentials, lets others look at each recipe.
func TestWhoMayReadMayLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		acl := append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
		defer useAll(t, open(t, e, "service", session.Config{Auth: credentials, ACL: acl}))()
		looker, ctx := open(t, e, "looker", session.Config{}), t.Context()
		for what, look := range map[string]func() (int, error){
			"election": func() (int, error) {
				el, err := election.New(looker, "/election", election.Config{})
				if err != nil {
					return 0, err
				}
				all, err := el.Candidates(ctx)
				return len(all), err
			},
			"lock": func() (int, error) {
				l, err := lock.New(looker, "/lock", lock.Config{})
				if err != nil {
					return 0, err
				}
				all, err := l.Contenders(ctx)
				return len(all), err
			},
			"semaphore": func() (int, error) {
				sem, err := semaphore.New(looker, "/semaphore", 2, semaphore.Config{})
				if err != nil {
					return 0, err
				}
				all, err := sem.Holders(ctx)
				return len(all), err
			},
			"group": func() (int, error) {
				g, err := group.New(looker, "/group", group.Config{})
				if err != nil {
					return 0, err
				}
				list := g.Watch()
				defer list.Close()
				all, err := list.Next(ctx)
				return len(all.Members), err
			},
			"counter": func() (int, error) {
				counter, err := value.NewCounter(looker, "/counter", value.CounterConfig{})
				if err != nil {
					return 0, err
				}
				n, err := counter.Get(ctx)
				return int(n), err
			},
			"latch": func() (int, error) {
				one, err := latch.New(looker, "/latch", 1, latch.Config{})
				if err != nil {
					return 0, err
				}
				two, err := latch.New(looker, "/latch", 2, latch.Config{})
				if err != nil {
					return 0, err
				}
				left, err := two.Count(ctx)
				return left, errors.Join(err, one.Wait(ctx))
			},
			"cache": func() (int, error) {
				c, err := cache.New(looker, "/group", cache.Config{})
				if err != nil {
					return 0, err
				}
				defer c.Close()
				if err := c.Fresh(ctx); err != nil {
					return 0, err
				}
				all, err := c.Snapshot(ctx)
				return len(all.Nodes) - 1, err // without the path itself
			},
		} {
			if n, err := look(); n != 1 || err != nil {
				t.Errorf("%s: %d of one, %v", what, n, err)
			}
		}
	})
}
