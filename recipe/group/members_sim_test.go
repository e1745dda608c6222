package group_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A server that is cut off from the others answers reads for a while, also if it was the leader.
// Its list must not be taken for new.
func TestTheAgeIsNotProvedByAServerThatIsCutOff(t *testing.T) {
	for _, leader := range []bool{false, true} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			srv := s.Followers()[0]
			if leader {
				srv = s.Leader()
			}
			list := s.watch("watcher", srv.Addr())
			a := s.join("a", group.Config{ID: "a", NoLease: true})
			awaitIDs(t, list, "a")
			srv.Isolate()
			cut := time.Now()
			s.Eventually("another leader", func() bool { l := s.Leader(); return l != nil && l.ID() != srv.ID() })
			a.Leave(s.Within(patience)) // its session may have been lost
			s.Eventually("its end", func() bool { return len(s.listed()) == 0 })
			await.Sleep(stageT)
			now, _ := list.Current()
			if ids(now) == "a" && now.AsOf.After(cut) {
				t.Errorf("leader %v: %q as of %v after the cut", leader, ids(now), now.AsOf.Sub(cut))
			}
			if _, err := list.Fresh(s.Within(stageD)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("leader %v: a fresh list: %v", leader, err)
			}
			srv.Rejoin()
			if now, err := list.Fresh(s.Within(patience)); err != nil || ids(now) != "" {
				t.Errorf("leader %v: %q, %v", leader, ids(now), err)
			}
		})
	}
}

// All that was acknowledged before Fresh began is in its list, and all that was acknowledged before
// AsOf is in any list, at servers that lag by different times, with connections that break.
func TestAListHasAllThatWasAcknowledgedBeforeItsAge(t *testing.T) {
	for seed := int64(0); seed < 40; seed += int64(rounds.Stride(4)) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(5, uint64(seed)))
			for _, f := range s.Followers() {
				s.Link(s.Leader(), f).Delay(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
			}
			list := s.watch("watcher", s.Followers()[rng.IntN(2)].Addr(), s.Followers()[rng.IntN(2)].Addr())
			a := s.join("a", group.Config{ID: "a", NoLease: true})
			done := []time.Time{time.Now()} // when Set number i was acknowledged
			for i := 1; i < 60; i++ {
				if rng.IntN(10) == 0 {
					s.Host("watcher").Cut()
				}
				must(t, a.Set(s.Within(patience), fmt.Append(nil, i)))
				done = append(done, time.Now())
				await.Sleep(time.Duration(rng.Int64N(int64(stageD / 8))))
				var now group.Snapshot
				if rng.IntN(4) == 0 {
					var err error
					now, err = list.Fresh(s.Within(patience))
					must(t, err)
					if e, _ := now.ByID("a"); string(e.Data) != fmt.Sprint(i) {
						t.Fatalf("seed %d: fresh: %q after %d", seed, e.Data, i)
					}
				} else if now, _ = list.Current(); now.AsOf.IsZero() {
					continue
				}
				e, _ := now.ByID("a")
				shown := -1
				fmt.Sscan(string(e.Data), &shown)
				if shown+1 < len(done) && done[shown+1].Before(now.AsOf) {
					t.Fatalf("seed %d: it shows %d as of %v after %d was done", seed, shown, now.AsOf.Sub(done[shown+1]), shown+1)
				}
			}
		})
	}
}

func TestAChangeCostsOneListAndAReadOfWhatHasChanged(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		const n = 20
		c := s.Client("members")
		var all []*group.Member
		for i := range n {
			m, err := join(s.Within(patience), c, dir, group.Config{ID: fmt.Sprintf("m%02d", i), NoLease: true})
			must(t, err)
			all = append(all, m)
		}
		w, err := watch(s.Client("watcher"), dir, group.Config{Prove: -1})
		must(t, err)
		defer w.Close()
		next := func() group.Snapshot {
			now, err := w.Next(s.Within(patience))
			must(t, err)
			return now
		}
		last := next()
		await.Sleep(stageT / 2)
		cost := func(what string, lists, least, most int, do func()) {
			t.Helper()
			before := s.Counts().Requests
			do()
			await.Sleep(stageT / 8)
			after := s.Counts().Requests
			l, r := after[zktest.OpGetChildren2]-before[zktest.OpGetChildren2], after[zktest.OpGetData]-before[zktest.OpGetData]
			if l != lists || r < least || r > most {
				t.Errorf("%s: %d lists and %d reads; want %d and %d to %d", what, l, r, lists, least, most)
			}
		}
		cost("one set", 0, 2, 2, func() { // its own member reads its znode, too
			must(t, all[3].Set(t.Context(), []byte("x")))
			now := next()
			if _, _, changed := now.Since(last); len(changed) != 1 || changed[0].ID != "m03" {
				t.Errorf("%+v", changed)
			}
			last = now
		})
		cost("one leaves", 1, 0, 1, func() { // its znode may be read before the list is known to have changed
			must(t, all[5].Leave(t.Context()))
			now := next()
			if _, gone, _ := now.Since(last); len(gone) != 1 || gone[0].ID != "m05" {
				t.Errorf("%+v", gone)
			}
			last = now
		})
		cost("one comes", 1, 2, 2, func() {
			_, err := join(s.Within(patience), c, dir, group.Config{ID: "new", NoLease: true})
			must(t, err)
			now := next()
			if come, _, _ := now.Since(last); len(come) != 1 || come[0].ID != "new" {
				t.Errorf("%+v", come)
			}
		})
		cost("a reconnect", 1, n, n, func() { s.Host("watcher").Cut() })
		cost("nothing", 0, 0, 0, func() {})
	})
}

func TestAGroupIsFollowedThroughLossesOfItsPathAndTheSession(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		awaitIDs(t, list, "")
		if n := len(s.Watches()); n != 0 {
			t.Errorf("%d watches on a missing path", n)
		}
		a := s.join("a", group.Config{ID: "a"})
		awaitIDs(t, list, "a")
		for _, x := range s.Sessions() {
			s.ExpireSession(x.ID)
		}
		await.Sleep(stageT) // Valid may be true until then
		s.Eventually("listing", func() bool { return a.Valid() && len(s.listed()) == 1 })
		must(t, a.Leave(s.Within(patience)))
		awaitIDs(t, list, "")
		must(t, s.Admin().Delete(t.Context(), dir, -1))
		await.Sleep(2 * stageT)
		s.join("b", group.Config{ID: "b"})
		awaitIDs(t, list, "b")
	})
}

func TestWhoIsAMember(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		admin := s.Admin()
		must(t, admin.EnsurePath(t.Context(), dir+"/config", nil)) // no member: it ends with no session
		for name, data := range map[string]string{
			"0123456789abcdef0123456789abcdef__party__":       "party",
			"0123456789abcdef0123456789abcdef-shallow-1":      "shallow-1",
			"_c_01234567-89ab-4def-8123-456789abcdef-curator": "x",
			"plain": "y",
		} {
			_, err := admin.Create(t.Context(), dir+"/"+name, []byte(data), zk.FlagEphemeral, nil)
			must(t, err)
		}
		hidden := []zk.ACL{{Perms: zk.PermAll, Scheme: "digest", ID: "somebody:else"}}
		_, err := admin.Create(t.Context(), dir+"/hidden", nil, zk.FlagEphemeral, hidden)
		must(t, err)
		now := awaitIDs(t, s.watch("watcher"), "curator hidden party plain shallow-1")
		for id, data := range map[string]string{"party": "", "shallow-1": "", "curator": "x", "plain": "y"} {
			if e, ok := now.ByID(id); !ok || string(e.Data) != data || e.Err != nil {
				t.Errorf("%s: %+v", id, e)
			}
		}
		if e, _ := now.ByID("hidden"); !errors.Is(e.Err, zk.ErrNoAuth) || e.Token != 0 {
			t.Errorf("%+v", e)
		}
		if _, ok := now.ByID("config"); ok {
			t.Error("a persistent znode counts")
		}
	})
}

func TestAGroupThatMayNotBeReadIsAnErrorOnlyAtFirst(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.join("a", group.Config{ID: "a"})
		list := s.watch("watcher")
		awaitIDs(t, list, "a")
		rule := s.On(zktest.Match{Op: zktest.OpGetChildren2}, zktest.Fail(zktest.CodeNoAuth))
		var permanent *recipe.PermanentError
		if _, err := s.watch("second").Next(s.Within(patience)); !errors.As(err, &permanent) {
			t.Errorf("at first: %v", err)
		}
		s.Host("watcher").Cut()
		await.Sleep(stageT)
		rule.Remove()
		s.join("b", group.Config{ID: "b"})
		awaitIDs(t, list, "a b")
	})
}

func TestALostEventCostsTimeOnly(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		a := s.join("a", group.Config{ID: "a"})
		awaitIDs(t, list, "a")
		s.Host("watcher").Drop(zktest.ToClient)
		b := s.join("b", group.Config{ID: "b"})
		must(t, a.Leave(t.Context()))
		s.Host("watcher").Heal()
		awaitIDs(t, list, "b")
		must(t, b.Set(t.Context(), []byte("x")))
	})
}

func TestClosingEndsNext(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		list := s.watch("watcher")
		awaitIDs(t, list, "")
		time.AfterFunc(time.Second, list.Close)
		if _, err := list.Next(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Error(err)
		}
		if _, err := list.Fresh(t.Context()); !errors.Is(err, session.ErrClosed) {
			t.Error(err)
		}
		list.Close()
	})
}

func TestAFreshListHasWhatWasDoneAMomentBefore(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		slow := s.Followers()[0]
		list := s.watch("watcher", slow.Addr())
		a, err := join(s.Within(patience), s.Client("a", s.Leader().Addr()), dir, group.Config{ID: "a", NoLease: true})
		must(t, err)
		awaitIDs(t, list, "a")
		s.Link(s.Leader(), slow).Delay(300 * time.Millisecond)
		for i := range 10 {
			must(t, a.Set(s.Within(patience), fmt.Append(nil, i)))
			now, err := list.Fresh(s.Within(patience))
			must(t, err)
			if e, _ := now.ByID("a"); string(e.Data) != fmt.Sprint(i) {
				t.Fatalf("%q after %d", e.Data, i)
			}
		}
	})
}

// A member that there is no permission to read is followed by one of the same name that there is
// permission to read. The watcher's server lags, so that the list changes while the fresh one is
// proved.
func TestAFreshListReadsWhatCouldNotBeRead(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a := s.join("a", group.Config{ID: "a", NoLease: true})
		admin := s.Admin()
		_, err := admin.Create(t.Context(), dir+"/b", nil, zk.FlagEphemeral, []zk.ACL{{Perms: zk.PermAll, Scheme: "digest", ID: "somebody:else"}})
		must(t, err)
		server := s.Followers()[0]
		list := s.watch("watcher", server.Addr())
		awaitIDs(t, list, "a b")
		s.Link(s.Leader(), server).Delay(300 * time.Millisecond)
		must(t, admin.Delete(t.Context(), dir+"/b", -1))
		_, err = admin.Create(t.Context(), dir+"/b", nil, zk.FlagEphemeral, nil)
		must(t, err)
		now, err := list.Fresh(s.Within(patience))
		must(t, err)
		if b, ok := now.ByID("b"); !ok || b.Err != nil {
			t.Errorf("a fresh list shows %+v, %v", b, ok)
		}
		a.Leave(s.Within(patience))
	})
}
