package group_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMembersSeeEachOther(t *testing.T) {
	for _, style := range []group.Style{group.StyleNamed, group.StyleParty, group.StyleShallow} {
		t.Run(string(style), func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				list := s.watch("watcher")
				if first, err := list.Next(s.Within(patience)); err != nil || len(first.Members) != 0 {
					t.Fatalf("%+v, %v", first, err)
				}
				cfg := group.Config{ID: "a", Style: style, Data: []byte("1")}
				if style == group.StyleParty {
					cfg.Data = nil
				}
				a := s.join("a", cfg)
				b := s.join("b", group.Config{ID: "b", Style: style})
				now := await(t, list, "a b")
				e, ok := now.ByID("a")
				l, err := a.Listing(t.Context())
				must(t, err)
				if !ok || string(e.Data) != string(cfg.Data) || e.Token != l.Token() || e.Node != a.Node() {
					t.Errorf("%+v; its token is %d", e, l.Token())
				}
				if !a.Valid() || !b.Valid() || now.AsOf.IsZero() {
					t.Errorf("valid: %v, %v; as of %v", a.Valid(), b.Valid(), now.AsOf)
				}
				must(t, a.Leave(t.Context()))
				if a.Valid() || !errors.Is(context.Cause(a.Context()), recipe.ReasonReleased) {
					t.Errorf("after Leave: valid %v, %v", a.Valid(), context.Cause(a.Context()))
				}
				await(t, list, "b")
				must(t, a.Leave(t.Context())) // again
			})
		})
	}
}

// A process is killed and starts again within its session timeout. Its former znode, which is going to
// vanish, must not be taken for the new one.
func TestAMemberThatStartsAgainTakesOverWithoutAGap(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		for _, srv := range s.Servers() {
			srv.DelayExpiry(30 * time.Second)
		}
		s.join("a", group.Config{ID: "a", Data: []byte("old")})
		s.Host("a").Drop()
		time.Sleep(stageT / 2)
		again := s.join("a2", group.Config{ID: "a", Data: []byte("new")})
		time.Sleep(time.Minute)
		nodes := s.listed()
		if len(nodes) != 1 || string(nodes[0].Data) != "new" || !again.Valid() || s.least(1) != 1 {
			t.Errorf("%d znodes, valid %v, at times %d listed", len(nodes), again.Valid(), s.least(1))
		}
		if l, err := again.Listing(t.Context()); err != nil || l.Token() != nodes[0].Stat.Czxid {
			t.Errorf("%v, %v", l, err)
		}
	})
}

// Whenever a session expires, also in the middle of the create, the live session has one znode soon
// after, and none of a former one appears.
func TestAMemberIsListedAgainAfterEachOfAHundredExpiries(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		rng := rand.New(rand.NewPCG(1, 1))
		m := s.join("a", group.Config{ID: "a"})
		for i := range 100 {
			if nodes := s.listed(); len(nodes) == 1 {
				s.ExpireSession(nodes[0].Stat.EphemeralOwner)
			}
			if i%2 == 0 { // into the next create
				time.Sleep(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
				for _, x := range s.Sessions() {
					s.ExpireSession(x.ID)
				}
			}
			time.Sleep(stageT)
			s.Eventually("listing", m.Valid)
			nodes := s.listed()
			if len(nodes) != 1 || nodes[0].Stat.EphemeralOwner != m0(s) || !m.Valid() {
				t.Fatalf("after %d expiries: %+v; valid: %v", i+1, nodes, m.Valid())
			}
		}
	})
}

// m0 is the one session that lives.
func m0(s *stage) int64 {
	all := s.Sessions()
	if len(all) != 1 {
		return 0
	}
	return all[0].ID
}

func TestFiftyCutsOfAThirdOfTheTimeoutAreNotSeenByAnybody(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		const n = 5
		for i := range n {
			s.join(fmt.Sprint("m", i), group.Config{ID: fmt.Sprint("m", i)})
		}
		list := s.watch("watcher")
		await(t, list, "m0 m1 m2 m3 m4")
		var fewest = n
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(done)
			for {
				now, err := list.Next(ctx)
				if err != nil {
					return
				}
				fewest = min(fewest, len(now.Members))
			}
		}()
		for i := range 50 {
			h := s.Host(fmt.Sprint("m", i%n))
			h.Hold()
			time.Sleep(stageT * 3 / 10)
			h.Heal()
			if i%3 == 0 {
				h.Cut()
			}
			time.Sleep(stageT / 4)
		}
		time.Sleep(2 * stageT)
		cancel()
		<-done
		if fewest != n || s.least(n) != n {
			t.Errorf("at times %d seen, %d listed", fewest, s.least(n))
		}
		if changes := len(s.history()); changes != 2*n { // a create and a set each
			t.Errorf("%d changes", changes)
		}
	})
}

func TestALaterTwinReplacesTheEarlierOneOnceAndItIsTold(t *testing.T) {
	for name, play := range map[string]func(s *stage, old *group.Member){
		"connected": func(s *stage, old *group.Member) {},
		"cut for a while": func(s *stage, old *group.Member) {
			s.Host("old").Hold()
			time.AfterFunc(stageT/2, s.Host("old").Heal)
		},
		"its session is lost": func(s *stage, old *group.Member) {
			s.Host("old").Hold()
			time.AfterFunc(5*stageT, s.Host("old").Heal)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				old := s.join("old", group.Config{ID: "a"})
				play(s, old)
				l, err := old.Listing(t.Context())
				must(t, err)
				twin := s.join("twin", group.Config{ID: "a"})
				time.Sleep(20 * stageT)
				cause := context.Cause(old.Context())
				if !errors.Is(cause, group.ErrReplaced) || !errors.Is(cause, recipe.ReasonNodeDeleted) || old.Valid() || l.Valid() {
					t.Errorf("the earlier: %v, valid %v", cause, old.Valid())
				}
				if twin.Context().Err() != nil || !twin.Valid() {
					t.Errorf("the later: %v", context.Cause(twin.Context()))
				}
				creates := 0
				for _, ch := range s.history() {
					if ch.Op == zktest.OpCreate {
						creates++
					}
				}
				if creates != 2 || len(s.listed()) != 1 || s.least(1) != 1 {
					t.Errorf("%d creates, %d znodes, at times %d", creates, len(s.listed()), s.least(1))
				}
				must(t, old.Leave(t.Context())) // which must not touch the twin's
				if len(s.listed()) != 1 {
					t.Error("the earlier one has deleted the znode of the later")
				}
			})
		})
	}
}

func TestTwinsOfOneClientAreTwins(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.client("a")
		old, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		twin, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		time.Sleep(10 * stageT)
		if !errors.Is(context.Cause(old.Context()), group.ErrReplaced) || !twin.Valid() || len(s.listed()) != 1 {
			t.Errorf("%v; the later valid: %v", context.Cause(old.Context()), twin.Valid())
		}
	})
}

// An old process leaves while its successor of the same ID joins: its deletion comes late.
func TestWhoLeavesDoesNotTakeItsSuccessorAway(t *testing.T) {
	for generation := range 3 {
		onStage(t, 1, func(t *testing.T, s *stage) {
			for i := range generation {
				s.join(fmt.Sprint("before", i), group.Config{ID: "a"})
			}
			old := s.join("old", group.Config{ID: "a", Data: []byte("old")})
			s.trap("old", zktest.OpExists, old.Node(), func() { s.Host("old").Delay(time.Second, zktest.ToServer) })
			go old.Leave(context.Background())
			time.Sleep(100 * time.Millisecond)
			next := s.join("next", group.Config{ID: "a", Data: []byte("new")})
			l, err := next.Listing(t.Context())
			must(t, err)
			time.Sleep(stageT)
			if nodes := s.listed(); len(nodes) != 1 || nodes[0].Stat.Czxid != l.Token() || !l.Valid() {
				t.Errorf("%+v; the listing: %v", nodes, context.Cause(l.Context()))
			}
		})
	}
}

func TestNothingIsLeftOfAMemberThatLeaves(t *testing.T) {
	for name, disturb := range map[string]func(s *stage){
		"at rest":      func(s *stage) {},
		"reconnecting": func(s *stage) { s.Host("a").Cut() },
		"cut off": func(s *stage) {
			s.Host("a").Hold()
			time.AfterFunc(stageT/2, s.Host("a").Heal)
		},
		"the reply of the deletion is lost": func(s *stage) {
			s.On(zktest.Match{Op: zktest.OpDelete, Host: "a", Nth: 1}, zktest.LoseReply)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				m := s.join("a", group.Config{ID: "a"})
				disturb(s)
				must(t, m.Leave(s.Within(patience)))
				if n := len(s.listed()); n != 0 {
					t.Errorf("%d znodes", n)
				}
				time.Sleep(5 * stageT)
				if n := len(s.listed()); n != 0 {
					t.Errorf("%d znodes came back", n)
				}
			})
		})
	}
}

// Close or the end of Join's context, at any moment of joining.
func TestNothingIsLeftOfAJoinThatIsGivenUp(t *testing.T) {
	for after := time.Duration(0); after < 40*time.Millisecond; after += time.Millisecond {
		for _, closing := range []bool{false, true} {
			onStage(t, 1, func(t *testing.T, s *stage) {
				c := s.client("a")
				ctx, cancel := context.WithCancel(t.Context())
				joined := make(chan *group.Member, 1)
				go func() {
					m, _ := join(ctx, c, dir, group.Config{ID: "a"})
					joined <- m
				}()
				time.Sleep(after)
				if closing {
					c.Close()
				}
				cancel()
				if m := <-joined; m != nil && !closing {
					must(t, m.Leave(s.Within(patience)))
				}
				time.Sleep(3 * stageT)
				if n := len(s.listed()); n != 0 {
					t.Fatalf("after %v, closing %v: %d znodes", after, closing, n)
				}
			})
		}
	}
}

// The reply of each request in turn is lost, or the request itself.
func TestAnyLostReplyLeavesOneZnodeWithTheLatestData(t *testing.T) {
	for _, effect := range []zktest.Effect{zktest.LoseReply, zktest.LoseRequest} {
		for _, op := range []zktest.Op{zktest.OpMulti, zktest.OpCreate, zktest.OpGetData, zktest.OpExists, zktest.OpSetData, zktest.OpDelete, zktest.OpSync} {
			for n := 1; n <= 5; n++ {
				onStage(t, 1, func(t *testing.T, s *stage) {
					predecessor := s.join("p", group.Config{ID: "a", Data: []byte("p")})
					s.On(zktest.Match{Op: op, Host: "a", Nth: n}, effect)
					m := s.join("a", group.Config{ID: "a", Data: []byte("0")})
					for i := range 5 {
						must(t, m.Set(s.Within(patience), []byte(fmt.Sprint(i))))
						nodes := s.listed()
						if len(nodes) != 1 || string(nodes[0].Data) != fmt.Sprint(i) || nodes[0].Stat.EphemeralOwner != owner(t, m, s) {
							t.Fatalf("%v of %v %d: %+v", effect, op, n, nodes)
						}
					}
					s.Eventually("listing", m.Valid)
					if !errors.Is(context.Cause(predecessor.Context()), group.ErrReplaced) {
						t.Errorf("%v of %v %d: the predecessor: %v", effect, op, n, context.Cause(predecessor.Context()))
					}
					err := m.Leave(s.Within(patience))
					time.Sleep(3 * stageT)
					if left := len(s.listed()); left != 0 {
						t.Fatalf("%v of %v %d: %d znodes left (%v)", effect, op, n, left, err)
					}
				})
			}
		}
	}
}

// owner returns the session of the host "a".
func owner(t *testing.T, m *group.Member, s *stage) int64 {
	t.Helper()
	l, err := m.Listing(s.Within(patience))
	must(t, err)
	for _, n := range s.listed() {
		if n.Stat.Czxid == l.Token() {
			return n.Stat.EphemeralOwner
		}
	}
	return 0
}

// Data are set while the connection is cut, and while the session is lost.
func TestTheLatestDataWinWhateverHappens(t *testing.T) {
	for seed := range int64(10) {
		onStage(t, seed, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(2, uint64(seed)))
			m := s.join("a", group.Config{ID: "a", Data: []byte("000")})
			for i := 1; i <= 50; i++ {
				switch rng.IntN(6) {
				case 0:
					s.Host("a").Cut()
				case 1:
					s.Host("a").Hold()
					time.AfterFunc(time.Duration(rng.Int64N(int64(stageT/2))), s.Host("a").Heal)
				case 2:
					for _, n := range s.listed() {
						s.ExpireSession(n.Stat.EphemeralOwner)
					}
				case 3:
					s.On(zktest.Match{Op: zktest.OpSetData, Host: "a", Nth: 1}, zktest.LoseReply)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.Int64N(int64(stageT/4))))
				m.Set(ctx, fmt.Appendf(nil, "%03d", i))
				cancel()
			}
			must(t, m.Set(s.Within(patience), []byte("999")))
			latest := ""
			for _, ch := range s.history() {
				if ch.Op == zktest.OpDelete || len(ch.Data) == 0 {
					continue
				}
				if now := string(ch.Data); now < latest {
					t.Errorf("seed %d: %s after %s", seed, now, latest)
				} else {
					latest = now
				}
			}
			if nodes := s.listed(); len(nodes) != 1 || string(nodes[0].Data) != "999" {
				t.Errorf("seed %d: %+v", seed, nodes)
			}
		})
	}
}

func TestWhatOthersWriteIntoAMembersZnodeIsReplaced(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a", Data: []byte("mine")})
		admin := s.Admin()
		_, err := admin.Set(t.Context(), m.Node(), []byte("yours"), -1)
		must(t, err)
		s.Eventually("own data", func() bool { n := s.listed(); return len(n) == 1 && string(n[0].Data) == "mine" })
		must(t, m.Set(t.Context(), []byte("next")))
		must(t, admin.Delete(t.Context(), m.Node(), -1))
		s.Eventually("the znode again", func() bool { n := s.listed(); return len(n) == 1 && string(n[0].Data) == "next" })
		s.Eventually("listing", m.Valid)
	})
}

// From the moment that anybody can know that a znode is gone, its listing is valid for the time that
// session.Outlast tells at most, whatever happened to the member's connection meanwhile. Somebody
// else's znode of the same name must not help.
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
				time.Sleep(time.Duration(rng.Int64N(int64(stageD / 4))))
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
		own, err := watch(s.client("a"), dir, group.Config{})
		must(t, err)
		defer own.Close()
		list := s.watch("watcher")
		await(t, own, "a")
		await(t, list, "a")
		l, err := m.Listing(t.Context())
		must(t, err)
		s.Host("a").Drop()
		cut := time.Now()
		time.Sleep(stageD * 17 / 16)
		if m.Valid() || !errors.Is(context.Cause(l.Context()), recipe.ReasonLeaseExpired) {
			t.Errorf("valid: %v; %v", m.Valid(), context.Cause(l.Context()))
		}
		await(t, list, "")
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
		await(t, list, "a")
		if next, err := m.Listing(t.Context()); err != nil || next.Token() <= l.Token() {
			t.Errorf("the next listing: %v, %v", next, err)
		}
	})
}

// A disturbance longer than the lease and shorter than the session timeout ends the listing. The next
// one has the same token: nobody has seen the member gone.
func TestALeaseThatLapsedBeginsAgainWithTheSameToken(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		first, err := m.Listing(t.Context())
		must(t, err)
		s.Host("a").Hold()
		time.Sleep(stageD * 5 / 4)
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
		time.Sleep(10 * stageT)
		if n := s.Counts().Commits - before; n != 0 {
			t.Errorf("%d writes", n)
		}
		if m.Valid() || l.Valid() || l.Remaining() != 0 || l.Context().Err() != nil {
			t.Errorf("valid %v, the listing %v for %v, %v", m.Valid(), l.Valid(), l.Remaining(), l.Context().Err())
		}
		must(t, m.Leave(t.Context()))
	})
}

func TestTheClosingOfTheClientEndsTheMembership(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		c := s.client("a")
		m, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		must(t, c.Close())
		if !errors.Is(context.Cause(m.Context()), recipe.ReasonClosed) || m.Valid() || len(s.listed()) != 0 {
			t.Errorf("%v; %d listed", context.Cause(m.Context()), len(s.listed()))
		}
		if err := m.Set(t.Context(), nil); !errors.Is(err, recipe.ReasonClosed) {
			t.Errorf("Set: %v", err)
		}
		if _, err := join(t.Context(), c, dir, group.Config{}); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Join: %v", err)
		}
	})
}

func TestAClosingClientDoesNotWaitForServersThatDoNotAnswer(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.cfg.Timeout = 20 * stageTick
		c := s.client("a")
		_, err := join(t.Context(), c, dir, group.Config{ID: "a"})
		must(t, err)
		s.Host("a").Hold()
		time.Sleep(time.Second)
		begun := time.Now()
		must(t, c.Close())
		if took := time.Since(begun); took > 10*stageTick {
			t.Errorf("closing took %v", took)
		}
	})
}

func TestWhatJoinCannotDo(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var permanent *recipe.PermanentError
		c := s.client("a")
		must(t, s.Admin().EnsurePath(t.Context(), dir+"/taken", nil))
		if _, err := join(s.Within(patience), c, dir, group.Config{ID: "taken"}); !errors.As(err, &permanent) || permanent.Path != dir {
			t.Errorf("a persistent znode is in the way: %v", err)
		}
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "n"}, zktest.Fail(zktest.CodeNoAuth))
		if _, err := join(s.Within(patience), s.client("n"), dir, group.Config{ID: "x"}); !errors.As(err, &permanent) || !strings.Contains(err.Error(), "NoLease") {
			t.Errorf("no permission: %v", err)
		}
		s.Host("b").Drop()
		begun := time.Now()
		_, err := join(s.Within(stageT), s.client("b"), dir, group.Config{ID: "b"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > stageT+time.Second {
			t.Errorf("no servers: %v after %v", err, time.Since(begun))
		}
	})
}

func TestEventsTellWhatHappens(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var mu sync.Mutex
		var told []string
		m := s.join("a", group.Config{ID: "a", OnEvent: func(e group.Event) {
			mu.Lock()
			defer mu.Unlock()
			what := e.Kind.String()
			if e.Reason != 0 {
				what += " (" + e.Reason.String() + ")"
			}
			told = append(told, what)
		}})
		time.Sleep(2 * stageT)
		s.ExpireSession(s.listed()[0].Stat.EphemeralOwner)
		time.Sleep(2 * stageT)
		must(t, m.Leave(t.Context()))
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(told, ", ")
		// That the znode is gone may be heard before the end of the session.
		got = strings.Replace(got, "(node deleted)", "(session lost)", 1)
		if want := "listed, unlisted (session lost), listed, unlisted (released), over"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	})
}

// After a reconnect the session beats on, and the beats find a znode of that name. It is the twin's, but
// the member has not been told yet.
func TestAListingIsOverThoughAnotherHasTheName(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		m := s.join("a", group.Config{ID: "a"})
		s.On(zktest.Match{Op: zktest.OpGetData, Host: "a"}, zktest.DropRequest)
		s.Host("a").Cut()
		time.Sleep(time.Second)
		if !m.Valid() {
			t.Error("not valid after a moment without a connection")
		}
		s.join("twin", group.Config{ID: "a"})
		time.Sleep(session.Outlast(stageD))
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
