package group_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// From the moment that anybody can know that a znode is gone, its listing is valid for the time
// that session.Outlast tells at most, whatever happened to the member's connection meanwhile.
// Somebody else's znode of the same name must not help.
func TestAListingIsOverWhenItsWorkIsHandedOn(t *testing.T) {
	for seed := range int64(12) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(3, uint64(seed)))
			var mu sync.Mutex
			var all []*group.Listing
			m := s.join("a", group.Config{ID: "a"})
			go func() {
				for {
					l, err := m.Listing(t.Context())
					if err != nil {
						return
					}
					mu.Lock()
					all = append(all, l)
					mu.Unlock()
					<-l.Context().Done()
				}
			}()
			gone := map[int64]time.Time{}
			stop := time.Now().Add(12 * stageT)
			h := s.Host("a")
			var twin *group.Member
			for step := 0; time.Now().Before(stop); step++ {
				switch rng.IntN(24) {
				case 0:
					h.Cut()
				case 1:
					h.Hold()
				case 2, 3, 4:
					h.Heal()
				case 5:
					for _, c := range s.Conns() {
						if c.Host() == "a" {
							c.Hold(zktest.ToClient)
						}
					}
				case 6:
					if twin == nil {
						twin = s.join("twin", group.Config{ID: "a"})
					}
				case 7:
					if nodes := s.listed(); len(nodes) == 1 && rng.IntN(4) == 0 {
						s.ExpireSession(nodes[0].Stat.EphemeralOwner)
					}
				}
				await.Sleep(time.Duration(rng.Int64N(int64(stageD / 4))))
				there := map[int64]bool{}
				for _, n := range s.listed() {
					there[n.Stat.Czxid] = true
				}
				mu.Lock()
				for _, l := range all {
					if there[l.Token()] {
						continue
					}
					if gone[l.Token()].IsZero() {
						gone[l.Token()] = time.Now()
					}
					if since := time.Since(gone[l.Token()]); l.Valid() && since >= session.Outlast(stageD) {
						t.Errorf("seed %d: valid %v after its znode was seen gone", seed, since)
						stop = time.Time{}
					}
				}
				mu.Unlock()
			}
			h.Heal()
		})
	}
}

func TestAMemberThatIsCutOffKnowsThatItMayBeGone(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		own, err := watch(s.Client("a"), dir, group.Config{})
		must(t, err)
		defer own.Close()
		list := s.watch("watcher")
		awaitIDs(t, own, "a")
		awaitIDs(t, list, "a")
		l, err := m.Listing(t.Context())
		must(t, err)
		s.Host("a").Drop()
		cut := time.Now()
		await.Sleep(stageD * 17 / 16)
		if m.Valid() || !errors.Is(context.Cause(l.Context()), recipe.ReasonLeaseExpired) {
			t.Errorf("valid: %v; %v", m.Valid(), context.Cause(l.Context()))
		}
		awaitIDs(t, list, "")
		now, _ := own.Current()
		if ids(now) != "a" || !now.AsOf.Before(cut.Add(time.Millisecond)) {
			t.Errorf("its own list: %q as of %v, cut at %v", ids(now), now.AsOf, cut)
		}
		s.Host("a").Heal()
		s.Eventually("its own list shows the new one", func() bool {
			now, _ := own.Current()
			e, ok := now.ByID("a")
			return ok && e.Token > l.Token() && now.Age() < stageT
		})
		s.Eventually("listing", m.Valid)
		awaitIDs(t, list, "a")
		if next, err := m.Listing(t.Context()); err != nil || next.Token() <= l.Token() {
			t.Errorf("the next listing: %v, %v", next, err)
		}
	})
}

// A disturbance longer than the lease and shorter than the session timeout ends the listing. The
// next one has the same token: nobody has seen the member gone.
func TestALeaseThatLapsedBeginsAgainWithTheSameToken(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		first, err := m.Listing(t.Context())
		must(t, err)
		s.Host("a").Hold()
		await.Sleep(stageD * 5 / 4)
		if first.Context().Err() == nil || m.Valid() {
			t.Error("it goes on without a lease")
		}
		s.Host("a").Heal()
		next, err := m.Listing(s.Within(patience))
		must(t, err)
		if next.Token() != first.Token() || !next.Valid() || first.Valid() {
			t.Errorf("tokens %d, %d", first.Token(), next.Token())
		}
	})
}

func TestAMemberWithoutALeaseCostsNoBeats(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a", NoLease: true})
		l, err := m.Listing(t.Context())
		must(t, err)
		before := s.Counts().Commits
		await.Sleep(10 * stageT)
		if n := s.Counts().Commits - before; n != 0 {
			t.Errorf("%d writes", n)
		}
		if m.Valid() || l.Valid() || l.Remaining() != 0 || l.Context().Err() != nil {
			t.Errorf("valid %v, the listing %v for %v, %v", m.Valid(), l.Valid(), l.Remaining(), l.Context().Err())
		}
		must(t, m.Leave(t.Context()))
	})
}

// After a reconnect the session beats on, and the beats find a znode of that name. It is the
// twin's, but the member has not been told yet.
func TestAListingIsOverThoughAnotherHasTheName(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		s.On(zktest.Match{Op: zktest.OpGetData, Host: "a"}, zktest.DropRequest)
		s.Host("a").Cut()
		await.Sleep(time.Second)
		if !m.Valid() {
			t.Error("not valid after a moment without a connection")
		}
		s.join("twin", group.Config{ID: "a"})
		await.Sleep(session.Outlast(stageD))
		if m.Valid() {
			t.Error("valid although another has the name")
		}
	})
}

func TestWhoLeavesIsNotValid(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		l, err := m.Listing(t.Context())
		must(t, err)
		s.Host("a").Hold()
		if err := m.Leave(s.Within(time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if l.Valid() || m.Valid() || l.Context().Err() == nil {
			t.Error("it counts itself listed")
		}
		s.Host("a").Heal()
		must(t, m.Leave(s.Within(patience)))
	})
}
