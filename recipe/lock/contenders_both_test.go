package lock_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestContendersAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, b := x.contender("a", lock.Config{Data: []byte("10.0.0.7")}), x.contender("b", lock.Config{Style: lock.StyleKazoo})
		if all, err := a.Contenders(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		h := a.acquire()
		next := b.queue()
		all, err := b.Contenders(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%v, %v", all, err)
		}
		if c := all[0]; c.ID != "a" || string(c.Data) != "10.0.0.7" || c.Token != h.Token() || c.Node != h.Node() || c.Session != x.Session(a.client).ID() {
			t.Errorf("%+v", c)
		}
		if all[1].ID != "b" {
			t.Errorf("%+v", all[1])
		}
		release(t, h)
		release(t, <-next)
	})
}

// Somebody asks the holder to release the lock, also while the holder is cut off.
func TestARevocationIsHeardOnce(t *testing.T) {
	for name, cut := range map[string]bool{"connected": false, "cut off meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, x *contest) {
				told := make(chan *lock.Held, 10)
				proxies := shared.Proxies(t, x.Servers)
				a := x.at(x.ClientAt(proxies, session.Config{}), "a", lock.Config{OnRevoke: func(h *lock.Held) { told <- h }})
				b, c := x.contender("b"), x.contender("c")
				h := a.acquire()
				next := b.queue()
				last := c.queue()
				if cut {
					proxies.Each(func(p *faultproxy.Proxy) { p.Refuse(true) })
					proxies.Each(func(p *faultproxy.Proxy) { p.Cut(false) })
				}
				for range 2 {
					shared.Must(t, b.Revoke(await.Context(t)))
				}
				proxies.Each(func(p *faultproxy.Proxy) { p.Refuse(false) })
				if got := <-told; got != h {
					t.Error("told of another Held")
				}
				x.Pass(3 * contestD)
				x.CaughtUp(c.client)
				if all, err := c.Contenders(t.Context()); err != nil || len(all) != 3 || !all[0].Revoked || all[0].ID != "" || all[1].Revoked {
					t.Errorf("%+v, %v", all, err)
				}
				release(t, h)
				release(t, <-next)
				release(t, <-last)
				if len(told) != 0 || a.count(lock.EventRevoked) != 1 {
					t.Errorf("told %d times more", len(told))
				}
			})
		})
	}
}

// Some readers do not let others write their znodes.
func TestARevocationThatSomeRefuseReachesTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		var told await.List[*lock.Held]
		asks := x.rw("asks")
		release(t, asks.write.acquire()) // makes the path
		var helds, refuse []*lock.Held
		for i, refuses := range []bool{true, false, true, false} {
			cfg := lock.Config{OnRevoke: told.Add}
			if refuses {
				cfg.ACL = zk.WorldACL(zk.PermRead)
			}
			h := x.rw(string(rune('a'+i)), cfg).read.acquire()
			helds = append(helds, h)
			if refuses {
				refuse = append(refuse, h)
			}
		}
		err := asks.Write().Revoke(await.Context(t))
		want(t, err, zk.ErrNoAuth)
		for _, h := range refuse {
			if !strings.Contains(err.Error(), h.Node()) {
				t.Errorf("%v does not name %s", err, h.Node())
			}
		}
		await.Until(t, "revocations", func() bool {
			asked := told.All()
			return len(asked) == 2 && slices.Contains(asked, helds[1]) && slices.Contains(asked, helds[3])
		})
		for _, h := range helds {
			release(t, h)
		}
		// Nobody is left.
		shared.Must(t, asks.Write().Revoke(await.Context(t)))
		x.Delete(x.path)
		shared.Must(t, asks.Write().Revoke(await.Context(t)))
	})
}
