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

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
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
				now := awaitIDs(t, list, "a b")
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
				awaitIDs(t, list, "b")
				must(t, a.Leave(t.Context())) // again
			})
		})
	}
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
				await.Sleep(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
				for _, x := range s.Sessions() {
					s.ExpireSession(x.ID)
				}
			}
			await.Sleep(stageT)
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
		awaitIDs(t, list, "m0 m1 m2 m3 m4")
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
			await.Sleep(stageT * 3 / 10)
			h.Heal()
			if i%3 == 0 {
				h.Cut()
			}
			await.Sleep(stageT / 4)
		}
		await.Sleep(2 * stageT)
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
					await.Sleep(3 * stageT)
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

func TestWhatJoinCannotDo(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var permanent *recipe.PermanentError
		c := s.Client("a")
		must(t, s.Admin().EnsurePath(t.Context(), dir+"/taken", nil))
		if _, err := join(s.Within(patience), c, dir, group.Config{ID: "taken"}); !errors.As(err, &permanent) || permanent.Path != dir {
			t.Errorf("a persistent znode is in the way: %v", err)
		}
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "n"}, zktest.Fail(zktest.CodeNoAuth))
		if _, err := join(s.Within(patience), s.Client("n"), dir, group.Config{ID: "x"}); !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("no permission: %v", err)
		}
		s.Host("b").Drop()
		begun := time.Now()
		_, err := join(s.Within(stageT), s.Client("b"), dir, group.Config{ID: "b"})
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
		await.Sleep(2 * stageT)
		s.ExpireSession(s.listed()[0].Stat.EphemeralOwner)
		await.Sleep(2 * stageT)
		must(t, m.Leave(t.Context()))
		await.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(told, ", ")
		// That the znode is gone may be heard before the end of the session.
		got = strings.Replace(got, "(node deleted)", "(session lost)", 1)
		// Then an attempt to be listed in that session fails.
		got = strings.Replace(got, "failed, ", "", 1)
		if want := "listed, unlisted (session lost), listed, unlisted (released), over"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	})
}
