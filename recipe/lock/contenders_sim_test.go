package lock_test

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

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

// Somebody has copied a znode to the end of the line, so a list asks for the age of each. Some have
// gone by then.
func TestARevocationEndsWhileOthersJoinAndGiveUp(t *testing.T) {
	onStage(t, zktest.Config{Latency: time.Millisecond}, func(t *testing.T, s *stage) {
		shared.Must(t, s.Admin().EnsurePath(t.Context(), stagePath, nil))
		for _, guid := range []string{"a0000000", "b0000000"} {
			shared.Must(t, s.Admin().EnsurePath(t.Context(), stagePath+"/_c_"+guid+"-0000-4000-8000-000000000000-__WRIT__0000999999", nil))
		}
		h, others := s.rw("holds").acquire(writing), s.rw("others").Write()
		busy, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() { _, _ = others.Acquire(busy) })
		}
		for i := range 8 {
			all.Go(func() {
				for await.Sleep(time.Duration(i) * 7 * time.Millisecond); busy.Err() == nil; {
					brief, cancel := context.WithTimeout(busy, 60*time.Millisecond)
					_, _ = others.Acquire(brief)
					cancel()
				}
			})
		}
		await.Sleep(time.Second)
		asks := s.rw("asks").Write()
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := asks.Revoke(ctx); err != nil {
				t.Error(err)
			}
			cancel()
		}
		stop()
		all.Wait()
		release(t, h)
	})
}
