package lock_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestContendersAreListed(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a", lock.Config{Data: []byte("10.0.0.7")}), s.process("b", lock.Config{Style: lock.StyleKazoo})
		if all, err := a.Contenders(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		h := a.acquire()
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		all, err := b.Contenders(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%v, %v", all, err)
		}
		if c := all[0]; c.ID != "a" || string(c.Data) != "10.0.0.7" || c.Token != h.Token() || c.Node != h.Node() || c.Session == 0 {
			t.Errorf("%+v", c)
		}
		if all[1].ID != "b" {
			t.Errorf("%+v", all[1])
		}
		release(t, h)
		release(t, <-next)
	})
}

// The znodes of some are their own, as on a path where credentials are being rolled out.
func TestAContenderThatMustNotBeReadIsListedAsHidden(t *testing.T) {
	for _, servers := range []zktest.Release{zktest.Release380, zktest.Release395} {
		t.Run(string(servers), func(t *testing.T) {
			onStage(t, zktest.Config{Release: servers}, func(t *testing.T, s *stage) {
				open := s.process("open")
				release(t, open.acquire()) // makes the path
				s.Config.Auth = []session.Auth{session.Digest("secret", "secret")}
				secret := s.process("secret", lock.Config{ACL: zk.AuthACL(zk.PermAll)})
				h := secret.acquire()
				next := open.begin()
				s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
				all, err := open.Contenders(t.Context())
				if err != nil || len(all) != 2 {
					t.Fatalf("%+v, %v", all, err)
				}
				if want := (lock.Contender{Node: h.Node(), Hidden: true}); !reflect.DeepEqual(all[0], want) {
					t.Errorf("%+v; want %+v", all[0], want)
				}
				if c := all[1]; c.ID != "open" || c.Hidden || c.Token == 0 || c.Session == 0 {
					t.Errorf("beside it: %+v", c)
				}
				if all, err := secret.Contenders(t.Context()); err != nil || all[0].ID != "secret" || all[0].Hidden {
					t.Errorf("its owner: %+v, %v", all, err)
				}
				release(t, h)
				release(t, <-next)
			})
		})
	}
}

// Somebody asks the holder to release the lock, also while the holder is cut off.
func TestARevocationIsHeardOnce(t *testing.T) {
	for name, cut := range map[string]bool{"connected": false, "cut off meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config.Timeout, s.Config.Lease = 5*stageT, 2*stageT
				told := make(chan *lock.Held, 10)
				a, b, c := s.process("a", lock.Config{OnRevoke: func(h *lock.Held) { told <- h }}), s.process("b"), s.process("c")
				h := a.acquire()
				next, last := b.begin(), c.begin()
				s.Eventually("line of three", func() bool { return len(s.inLine()) == 3 })
				if cut {
					a.host.Cut()
				}
				for range 2 {
					if err := b.Revoke(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				await.Sleep(stageD / 4)
				a.host.Heal()
				if got := <-told; got != h {
					t.Error("told of another Held")
				}
				await.Sleep(3 * stageD)
				if len(told) != 0 || a.count(lock.EventRevoked) != 1 || len(s.inLine()) != 3 {
					t.Errorf("told %d times more, %d in line", len(told), len(s.inLine()))
				}
				if all, err := c.Contenders(t.Context()); err != nil || !all[0].Revoked || all[0].ID != "" || all[1].Revoked {
					t.Errorf("%+v, %v", all, err)
				}
				release(t, h)
				for range 2 {
					select {
					case h = <-next:
					case h = <-last:
					}
					release(t, h)
				}
			})
		})
	}
}

// revoked waits until the process is told that somebody asks to release h.
func (p *process) revoked(h *lock.Held) {
	p.s.T.Helper()
	p.events.Next(p.s.T, "revocation of "+h.Node(), 0, 1, func(ev lock.Event) bool { return ev.Kind == lock.EventRevoked && ev.Held == h })
}

// The server of the one that asks has not heard yet who holds the lock.
func TestARevocationThroughAServerThatLagsReachesTheHolder(t *testing.T) {
	for name, former := range map[string]bool{"the first holder": false, "the next holder": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				lagging := s.Followers()[0]
				at := func(host string, server *zktest.Server, told func(*lock.Held)) *lock.Lock {
					client := s.Client(host, server.Addr())
					s.Session(client)
					l, err := lock.New(client, stagePath, lock.Config{OnRevoke: told})
					shared.Must(t, err)
					return l
				}
				var told await.List[*lock.Held]
				asks, holds := at("asks", lagging, nil), at("holds", s.Leader(), told.Add)
				first := <-s.begin("holds", holds.Acquire, writing)
				if !former {
					release(t, first)
				}
				await.Sleep(stageT)
				s.Link(s.Leader(), lagging).Delay(stageD / 4)
				if former {
					release(t, first)
				}
				h := <-s.begin("holds", holds.Acquire, writing)
				shared.Must(t, asks.Revoke(t.Context()))
				s.Link(s.Leader(), lagging).Heal()
				s.Eventually("revocation of "+h.Node(), func() bool { return slices.Contains(told.All(), h) })
				release(t, h)
			})
		})
	}
}

// Those who were listed as holders have gone when Revoke writes.
func TestARevocationAtAHandOverReachesTheNextHolder(t *testing.T) {
	for name, holders := range map[string][]bool{"after a writer": {writing}, "after two readers": {reading, reading}} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				var first []*lock.Held
				for i, read := range holders {
					first = append(first, s.rw(string(rune('a'+i))).acquire(read))
				}
				var told await.List[*lock.Held]
				next := s.rw("next", lock.Config{OnRevoke: told.Add}).begin(writing)
				asks := s.process("asks")
				s.Session(asks.client)
				asks.host.Delay(stageD / 8)
				s.Trap.Next("asks", zktest.OpGetChildren2, stagePath, func() {
					for _, h := range first {
						release(t, h)
					}
				})
				shared.Must(t, asks.Revoke(t.Context()))
				h := <-next
				s.Eventually("revocation of "+h.Node(), func() bool { return slices.Contains(told.All(), h) })
				release(t, h)
			})
		})
	}
}

// One that is first, and waits for the lease of a former holder, is told when it holds the lock.
func TestWhoIsFirstAndDoesNotHoldYetIsAskedToo(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		gone := a.acquire()
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		shared.Must(t, s.Admin().Delete(t.Context(), gone.Node(), -1))
		shared.Must(t, a.Revoke(t.Context()))
		if len(next) > 0 {
			t.Error("it holds the lock already: nothing is shown")
		}
		h := <-next
		b.revoked(h)
		release(t, h)
	})
}

// Some readers do not let others write their znodes.
func TestARevocationThatSomeRefuseReachesTheOthers(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var told await.List[*lock.Held]
		asks := s.rw("asks")
		release(t, asks.acquire(writing)) // makes the path
		var helds, refuse []*lock.Held
		for i, refuses := range []bool{true, false, true, false} {
			cfg := lock.Config{OnRevoke: told.Add}
			if refuses {
				cfg.ACL = zk.WorldACL(zk.PermRead)
			}
			h := s.rw(string(rune('a'+i)), cfg).acquire(reading)
			helds = append(helds, h)
			if refuses {
				refuse = append(refuse, h)
			}
		}
		err := asks.Write().Revoke(t.Context())
		want(t, err, zk.ErrNoAuth)
		for _, h := range refuse {
			if !strings.Contains(err.Error(), h.Node()) {
				t.Errorf("%v does not name %s", err, h.Node())
			}
		}
		s.Eventually("revocations", func() bool {
			asked := told.All()
			return len(asked) == 2 && slices.Contains(asked, helds[1]) && slices.Contains(asked, helds[3])
		})
		for _, h := range helds {
			release(t, h)
		}
		// Nobody is left.
		shared.Must(t, asks.Write().Revoke(t.Context()))
		shared.Must(t, s.Admin().Delete(t.Context(), stagePath, -1))
		shared.Must(t, asks.Write().Revoke(t.Context()))
	})
}
