package lock_test

import (
	"context"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The znode of a session that is over is not taken for the own one, although the same process made
// it: it is there still on a server that lags, or its lease runs still.
func TestAFormerZnodeOfTheSameProcessIsAnothers(t *testing.T) {
	for name, lag := range map[string]bool{"servers agree": false, "a server lags": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.process("a")
				h := a.acquire()
				old := s.Session(a.client)
				if lag {
					s.Link(s.Leader(), s.Followers()[0]).Delay(stageT / 20)
				}
				s.ExpireSession(old.ID())
				<-h.Context().Done()
				second := a.acquire() // the stage compares
				if owner := s.Session(a.client).ID(); owner == old.ID() {
					t.Error("the session that has expired is used still")
				} else if all, err := a.Contenders(t.Context()); err != nil || len(all) != 1 || all[0].Session != owner {
					t.Errorf("%+v, %v", all, err)
				}
				release(t, second)
			})
		})
	}
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
