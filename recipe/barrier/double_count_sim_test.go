package barrier_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// All members of a round are killed. Its "ready" stays, and must not let in the members that come
// next.
func TestAReadyThatIsLeftOverLetsNobodyIn(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var all []*entering
		for _, h := range hosts(3) {
			all = append(all, s.enter(h, 3))
		}
		for _, e := range all {
			e.in(t)
		}
		for _, h := range hosts(3) {
			s.Host(h).Drop()
		}
		s.Eventually("their end", func() bool { n := s.listed(); return len(n) == 1 && n[0].Path == dir+"/ready" })
		a := s.enter("a", 3)
		await.Sleep(2 * stageT)
		a.outside(t)
		b := s.enter("b", 3)
		await.Sleep(2 * stageT)
		a.outside(t)
		b.outside(t)
		c := s.enter("c", 3)
		leave(t, a.in(t), b.in(t), c.in(t))
		if n := len(s.listed()); n != 0 {
			t.Errorf("%d znodes left", n)
		}
	})
}

// Data that change, reconnects, and znodes of others under the path.
func TestNoiseLetsNobodyIn(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 3), s.enter("b", 3)
		await.Sleep(time.Second)
		admin := s.Admin()
		must(t, admin.EnsurePath(t.Context(), dir+"/config", nil))
		before := s.Counts().Requests[zktest.OpGetChildren2]
		for i := range 20 {
			_, err := admin.Create(t.Context(), fmt.Sprintf("%s/x%d", dir, i), nil, zk.FlagEphemeral, nil)
			must(t, err)
			for _, n := range s.listed() {
				_, err := admin.Set(t.Context(), n.Path, []byte("noise"), -1)
				must(t, err)
			}
			s.Host([]string{"a", "b"}[i%2]).Cut()
			await.Sleep(100 * time.Millisecond)
		}
		a.outside(t)
		b.outside(t)
		if lists := s.Counts().Requests[zktest.OpGetChildren2] - before; lists > 100 {
			t.Errorf("%d lists", lists)
		}
		ra, rb, rc := a.in, b.in, s.enter("c", 3).in(t)
		leave(t, ra(t), rb(t), rc)
	})
}

// Rounds among faults: each member that is inside is so with n - 1 others whose znodes existed with
// its own, at the commit that let it in. Nobody is let in otherwise.
func TestNobodyIsLetInAlone(t *testing.T) {
	const n = 3
	for seed := range int64(3) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(9, uint64(seed)))
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for _, h := range hosts(n + 1) { // one more than there is room for
				d := s.double(h, n)
				all.Go(func() {
					for ctx.Err() == nil {
						r, err := d.Enter(ctx)
						if err != nil {
							time.Sleep(stageT / 10)
							continue
						}
						time.Sleep(stageT / 8)
						bounded, cancel := context.WithTimeout(ctx, stageT)
						r.Leave(bounded)
						cancel()
					}
				})
			}
			for range 40 {
				h := fmt.Sprint("h", rng.IntN(n+1))
				switch rng.IntN(5) {
				case 0:
					s.Host(h).Cut()
				case 1:
					s.Host(h).Hold()
					time.AfterFunc(time.Duration(rng.Int64N(int64(2*stageT))), s.Host(h).Heal)
				case 2:
					s.Expire(h)
				}
				await.Sleep(time.Duration(rng.Int64N(int64(stageT / 2))))
			}
			for _, h := range hosts(n + 1) {
				s.Host(h).Heal()
			}
			stop()
			all.Wait()
			s.checkRounds(n, seed)
		})
	}
}

// checkRounds replays the commits: each "ready" is created when n members exist that it names, and
// deleted when none of them does.
func (s *stage) checkRounds(n int, seed int64) {
	there := map[string]bool{}
	var inside []string
	rounds := 0
	for _, c := range s.Commits.All() {
		for _, ch := range c.Changes {
			name, ok := strings.CutPrefix(ch.Path, dir+"/")
			switch {
			case !ok || ch.Op == zktest.OpCheck:
			case name == "ready" && ch.Op == zktest.OpCreate:
				inside = strings.Fields(string(ch.Data))[3:]
				rounds++
				if len(inside) != n {
					s.T.Errorf("seed %d: a round of %d", seed, len(inside))
				}
				for _, m := range inside {
					if !there[m] {
						s.T.Errorf("seed %d: %s was let in without a znode", seed, m)
					}
				}
			case name == "ready":
				for _, m := range inside {
					if there[m] {
						s.T.Errorf("seed %d: %s is inside a round that was declared over", seed, m)
					}
				}
			case ch.Op == zktest.OpCreate:
				there[name] = true
			case ch.Op == zktest.OpDelete:
				delete(there, name)
			}
		}
	}
	if rounds == 0 {
		s.T.Errorf("seed %d: no round: nothing was tested", seed)
	}
}

// The last one to come has read the list when one of those in it goes.
func TestNobodyIsCountedThatHasGone(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.makePath()
		admin := s.Admin()
		ctx, cancel := context.WithCancel(t.Context())
		s.enterBy(ctx, "a", s.double("a", 2))
		s.Eventually("its znode", func() bool { return len(s.listed()) == 1 })
		node := s.listed()[0].Path
		d := s.double("b", 2)
		s.Host("a").Hold() // else that one may count
		// It reads the path's data last, before it counts.
		deleted := make(chan error, 1)
		s.Trap.Next("b", zktest.OpGetData, dir, func() {
			s.Host("b").Delay(stageD/10, zktest.ToServer)
			deleted <- admin.Delete(t.Context(), node, -1)
		})
		s.enterBy(t.Context(), "b", d)
		must(t, <-deleted)
		cancel()
		await.Sleep(time.Second)
		s.checkMembers(t)
	})
}

// checkMembers demands of each "ready" that the members that it names existed when it was created.
func (s *stage) checkMembers(t *testing.T) {
	t.Helper()
	there := map[string]bool{}
	for _, c := range s.Commits.All() {
		for _, ch := range c.Changes {
			name, ok := strings.CutPrefix(ch.Path, dir+"/")
			switch {
			case !ok:
			case name == "ready" && ch.Op == zktest.OpCreate:
				for _, m := range strings.Fields(string(ch.Data))[3:] {
					if !there[m] {
						t.Errorf("%s was let in without a znode", m)
					}
				}
			case ch.Op == zktest.OpCreate:
				there[name] = true
			case ch.Op == zktest.OpDelete:
				delete(there, name)
			}
		}
	}
}

// A member that leaves has found the round over. It deletes "ready" when others have done so
// before, and the next round is under way. Only the version of the path's data is different.
func TestALateDeletionOfReadySparesTheNextRound(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.enter("a", 2), s.enter("b", 2)
		ra, rb := a.in(t), b.in(t)
		// What one of them sends after it has read the path arrives late.
		s.Trap.Next("a", zktest.OpGetData, dir, func() { s.Host("a").Delay(time.Second, zktest.ToServer) })
		go leave(t, ra)
		leave(t, rb)
		c, d := s.enter("c", 2), s.enter("d", 2)
		rc, rd := c.in(t), d.in(t)
		await.Sleep(2 * time.Second)
		s.Host("a").Heal()
		ready := false
		for _, n := range s.listed() {
			ready = ready || n.Path == dir+"/ready"
		}
		if !ready {
			t.Error("the next round's ready was deleted")
		}
		leave(t, rc, rd)
	})
}
