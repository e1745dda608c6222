package lock_test

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The znode of a session that is over is not taken for the own one, although the same process made
// it. The client has given the session up, because nobody answers, and the servers keep it for
// longer.
func TestAFormerZnodeOfTheSameProcessIsAnothers(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		h := a.acquire()
		old := s.Session(a.client)
		s.Leader().DelayExpiry(stageT)
		a.host.Hold()
		<-old.Done()
		a.host.Heal()
		owner := s.Session(a.client).ID()
		if all := s.inLine(); len(all) != 1 || all[0].Stat.EphemeralOwner != old.ID() || owner == old.ID() {
			t.Fatalf("the line is %+v; want the znode of the former session", all)
		}
		second := a.acquire() // the stage compares
		all, err := a.Contenders(t.Context())
		shared.Must(t, err)
		if first := all[0]; first.Session != owner || second.Node() == h.Node() {
			t.Errorf("it holds %s, and the first in line is %+v; want a znode of the new session", second.Node(), first)
		}
		await.Sleep(2 * stageT) // the servers, too, have given up the former session
		if !second.Valid() {
			t.Errorf("it is lost: %v", context.Cause(second.Context()))
		}
		release(t, second)
	})
}

// A session that ends while somebody acquires: it enters the line again, in a new session.
func TestASessionThatEndsWhileWaitingIsReplaced(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		h := a.acquire()
		next := b.begin()
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		for range 3 {
			s.ExpireSession(s.Session(b.client).ID())
			await.Sleep(stageT)
		}
		release(t, h)
		release(t, <-next)
		if n := b.count(lock.EventJoined); n < 2 || b.count(lock.EventFailed) < n-1 {
			t.Errorf("joined %d times, failed %d times", n, b.count(lock.EventFailed))
		}
	})
}

// A guarded write that arrives after the lock is lost is never carried out.
func TestALateGuardedWriteDoesNotLand(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		admin := s.Admin()
		if err := admin.EnsurePath(t.Context(), "/data", nil); err != nil {
			t.Fatal(err)
		}
		h := a.acquire()
		await.Sleep(stageD)
		a.host.Hold(zktest.ToServer)
		written := make(chan error, 1)
		go func() {
			_, err := h.Multi(context.Background(), &zk.SetDataRequest{Path: "/data", Data: []byte("late"), Version: -1})
			written <- err
		}()
		second := b.acquire()
		if _, err := second.Multi(t.Context(), &zk.SetDataRequest{Path: "/data", Data: []byte("second"), Version: -1}); err != nil {
			t.Fatal(err)
		}
		a.host.Heal()
		if err := <-written; err == nil {
			t.Error("the late write has landed")
		}
		await.Sleep(2 * stageT)
		if data, _, _ := admin.Get(t.Context(), "/data"); string(data) != "second" {
			t.Errorf("data %q", data)
		}
		want(t, h.Release(t.Context()), recipe.ReasonLeaseExpired)
		release(t, second)
	})
}

// A guarded write is outstanding when the session of its lock expires. The same client has another
// session, and another process the lock. Then the request comes to a server that has not heard of
// the end of the session, or it is lost and must not be repeated, or its answer is.
func TestAGuardedWriteDoesNotLandWhenItsClientHasAnotherSession(t *testing.T) {
	for name, action := range map[string]faultproxy.Action{
		"the request is late": faultproxy.HoldRequest,
		"the request is lost": faultproxy.LoseRequest,
		"the answer is lost":  faultproxy.LoseReply,
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				admin, follower := s.Admin(), s.Followers()[0]
				shared.Must(t, admin.EnsurePath(t.Context(), "/data", nil))
				proxies := shared.Proxies(t, s.Stage)
				var free atomic.Bool // the client may use other servers than the follower
				dial := func(ctx context.Context, network, address string) (net.Conn, error) {
					if !free.Load() && address != follower.Addr() {
						return nil, syscall.EHOSTUNREACH
					}
					return proxies.Dial(ctx, network, address)
				}
				a, b := s.processOf(s.Open("a", session.Config{Dial: dial}), "a"), s.process("b")
				h := a.acquire()
				old := s.Session(a.client).ID()
				await.Sleep(stageD)
				var came atomic.Bool
				s.Trap.Set(func(r zktest.Request) bool {
					if r.Session == old && slices.Contains(r.Paths, "/data") {
						came.Store(true)
					}
					return false
				})
				// Only this Multi begins with a check now.
				fault := proxies[slices.Index(proxies.Addrs(), follower.Addr())].On(func(f faultproxy.Frame) bool {
					return f.Op == faultproxy.OpMulti && f.First == faultproxy.OpCheck
				}, 1, action)
				written := make(chan error, 1)
				go func() {
					_, err := h.Multi(context.Background(), &zk.SetDataRequest{Path: "/data", Data: []byte("late"), Version: -1})
					written <- err
				}()
				<-fault.Done()
				s.Link(s.Leader(), follower).Delay(2 * stageT) // it does not hear of the end of the session
				free.Store(true)
				s.ExpireSession(old)
				second := b.acquire()
				_, err := second.Multi(t.Context(), &zk.SetDataRequest{Path: "/data", Data: []byte("second"), Version: -1})
				shared.Must(t, err)
				s.Eventually("another session", func() bool {
					x, err := a.client.Session(t.Context())
					return err == nil && x.ID() != old
				})
				fault.Release()
				if err := <-written; err == nil {
					t.Error("the write is said to be done")
				}
				await.Sleep(4 * stageT)
				if data, _, _ := admin.Get(t.Context(), "/data"); string(data) != "second" {
					t.Errorf("data %q", data)
				}
				if want := action != faultproxy.LoseRequest; came.Load() != want {
					t.Errorf("the write came to a server: %v; want %v", came.Load(), want)
				}
				release(t, second)
			})
		})
	}
}
