package election_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// makeNode makes a znode with the permissions that everybody has on it.
func (s *stage) makeNode(path, data string, perms int32) {
	s.T.Helper()
	if err := s.Admin().EnsureNode(s.T.Context(), path, []byte(data), zk.WorldACL(perms)); err != nil {
		s.T.Fatal(err)
	}
}

// enterAs starts a candidate with credentials of its own. All others may do with its heartbeat what
// perms say; its place in the line is everybody's.
func (s *stage) enterAs(name string, perms int32) *candidate {
	s.Config.Auth = []session.Auth{session.Digest(name, "secret")}
	s.Config.ACL = zk.DigestACL(zk.PermAll, name, "secret")
	if perms != 0 {
		s.Config.ACL = append(s.Config.ACL, zk.WorldACL(perms)...)
	}
	return s.enterWith(name, election.Config{ACL: zk.WorldACL(zk.PermAll)}, untilTheEnd)
}

// What is not permitted makes a change of leader slower, is reported, and is never unsafe.
func TestWithoutAPermissionAChangeOfLeaderIsSlowerAndReported(t *testing.T) {
	const all = zk.PermAll
	for name, c := range map[string]struct {
		path, heartbeats int32 // what others may do
		says             string
		crash            bool // else the leader resigns
	}{
		"no WRITE on the path":              {all &^ zk.PermWrite, all, stagePath, false},
		"no READ of the leader's heartbeat": {all, 0, "cannot be read", true},
		"no WRITE of it":                    {all, zk.PermRead, "WRITE on heartbeats", true},
		"no DELETE on the path":             {all &^ zk.PermDelete, all, stagePath, true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range int64(5) {
				onStage(t, zktest.Config{Seed: seed}, func(t *testing.T, s *stage) {
					rng := rand.New(rand.NewPCG(8, uint64(seed)))
					s.makeNode("/zkrecipe", "", all)
					s.makeNode(strings.TrimSuffix(beats, "/"), "", all)
					s.makeNode(stagePath, "", c.path)
					a := s.enterAs("a", c.heartbeats)
					first := a.term()
					b := s.enterAs("b", c.heartbeats)
					b.events.wait(election.EventHeir, 1)
					await.Sleep(2*stageD + time.Duration(rng.Int64N(int64(stageD))))
					begun := time.Now()
					atMost := session.DefaultLease*17/16 + stageD/8 // nobody knows of a shorter one
					if c.crash {
						a.host.Drop()
						atMost += stageT + 2*stageTick // the session has to expire
					} else {
						first.Resign()
					}
					b.term() // compared with the first
					if took := time.Since(begun); took < stageD || took > atMost {
						t.Errorf("seed %d: the next leads after %v; want %v to %v", seed, took, stageD, atMost)
					}
					if err := b.events.wait(election.EventImpaired, 1).Err; !strings.Contains(err.Error(), c.says) {
						t.Errorf("seed %d: impaired: %v; want %q", seed, err, c.says)
					}
					if n := b.events.count(election.EventTookOver); n != 0 {
						t.Errorf("seed %d: it took over without a permission", seed)
					}
				})
			}
		})
	}
}

// Newer servers do not tell whose a znode is if there is no permission to read it. So nobody can
// listen to that session, and it has to expire. That happens to those who have the old credential
// and the new one while one replaces the other.
func TestACandidateAheadThatCannotBeReadIsReported(t *testing.T) {
	onStage(t, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
		s.makePath()
		s.makeNode(strings.TrimSuffix(beats, "/"), "", zk.PermAll)
		alone := func(name string) *candidate {
			s.Config.Auth = []session.Auth{session.Digest(name, "secret")}
			return s.enterWith(name, election.Config{ACL: zk.DigestACL(zk.PermAll, name, "secret")}, untilTheEnd)
		}
		a := alone("a")
		a.term()
		b := alone("b")
		if err := b.events.wait(election.EventImpaired, 1).Err; !errors.Is(err, zk.ErrNoAuth) || b.Status().Impaired == nil {
			t.Errorf("impaired: %v, %v", err, b.Status().Impaired)
		}
		begun := time.Now()
		a.host.Drop()
		b.term() // compared with the first
		if took, most := time.Since(begun), stageT+2*stageTick+stageT/4+session.DefaultLease*17/16; took > most {
			t.Errorf("it leads after %v; want at most %v", took, most)
		}
		if n := b.events.count(election.EventTookOver); n != 0 {
			t.Error("it took over without a permission")
		}
	})
}

// Somebody has copied a znode of the line, and has left it there with an ACL of their own. Then two
// have one number, and newer servers do not tell which of them is older. It makes no difference to
// those who have other numbers.
func TestACopyThatCannotBeReadEndsNobody(t *testing.T) {
	onStage(t, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
		a := s.enter("a")
		term := a.term()
		b := s.enter("b")
		b.events.wait(election.EventHeir, 1)
		guid := "_c_6d9c7c1e-1cb2-4f6e-8f0a-b1fd3b2d0d2b-latch-"
		number := term.Node()[len(term.Node())-10:]
		planted, err := s.Admin().Create(t.Context(), stagePath+"/"+guid+number, nil, 0, zk.DigestACL(zk.PermAll, "other", "secret"))
		if err != nil {
			t.Fatal(err)
		}
		o := observe(t, s.Client("o"), stagePath)
		defer o.Close()
		all, err := a.Candidates(t.Context())
		if err != nil || len(all) != 3 || !all[0].Hidden || all[2].Node != b.Status().Node {
			t.Errorf("candidates %+v, %v", all, err)
		}
		c := s.enter("c")
		c.events.wait(election.EventJoined, 1)
		term.Resign()
		b.term().Resign() // it stood there before the copy
		if err := s.Admin().Delete(t.Context(), planted, -1); err != nil {
			t.Fatal(err)
		}
		c.term()
		s.Eventually("leader seen", func() bool { seen, ok := o.Current(); return ok && seen.Node == c.Status().Node })
	})
}

// Somebody has made a znode with the number of a server that has none left. That says nothing about
// the places of those who have numbers, not even of one that cannot be read.
func TestOneWithoutANumberPutsNobodyAhead(t *testing.T) {
	onStage(t, zktest.Config{Release: zktest.Release395}, func(t *testing.T, s *stage) {
		a := s.enter("a")
		term := a.term()
		s.Config.Auth = []session.Auth{session.Digest("b", "secret")}
		b := s.enterWith("b", election.Config{ACL: zk.DigestACL(zk.PermAll, "b", "secret")}, untilTheEnd)
		b.events.wait(election.EventHeir, 1)
		s.Config.Auth = nil
		if _, err := s.Admin().Create(t.Context(), stagePath+"/latch-2147483647", nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		o := observe(t, s.Client("o"), stagePath)
		defer o.Close()
		s.Eventually("leader seen", func() bool { seen, ok := o.Current(); return ok && seen.Node == term.Node() })
		all, err := a.Candidates(t.Context())
		if err != nil || len(all) != 3 || all[0].Node != term.Node() || !all[1].Hidden {
			t.Errorf("candidates %+v, %v", all, err)
		}
	})
}

// runOnce returns what Run returns by itself.
func (s *stage) runOnce(path string) error {
	s.T.Helper()
	el, err := election.New(s.Client("x"), path, election.Config{})
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.T.Context(), time.Minute)
	defer cancel()
	return el.Run(ctx, untilTheEnd)
}

func TestWithoutCREATEForItsHeartbeatACandidateEndsForGood(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		dir := strings.TrimSuffix(beats, "/")
		s.makeNode("/zkrecipe", "", zk.PermAll)
		s.makeNode(dir, "", zk.PermRead)
		err := s.runOnce(stagePath)
		var permanent *recipe.PermanentError
		if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
			t.Fatalf("it ends with %v", err)
		}
		shared.Says(t, err, stagePath, dir, "CREATE")
	})
}

// A candidate without WRITE on its own heartbeat never leads: the first beat creates the heartbeat,
// and the next one sets it. READ is asked for when the answer to a beat was lost. Without it the
// candidate may lead until then.
func TestWithoutWRITEOrREADOnItsHeartbeatACandidateEndsForGood(t *testing.T) {
	dir := strings.TrimSuffix(beats, "/")
	for name, c := range map[string]struct {
		lacks int32
		ahead int // how many others stand in line before it
		lost  int // which multi with its heartbeat is not answered, before the term begins
		leads bool
		says  string
	}{
		"no WRITE, first":                           {zk.PermWrite, 0, 0, false, "set (WRITE)"},
		"no WRITE, second":                          {zk.PermWrite, 1, 0, false, "set (WRITE)"},
		"no READ, an answer is lost as it joins":    {zk.PermRead, 0, 2, false, "read (READ)"},
		"no READ, an answer is lost while it leads": {zk.PermRead, 0, 0, true, "read (READ)"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.makeNode("/zkrecipe", "", zk.PermAll)
				s.makeNode(dir, "", zk.PermAll)
				s.makePath()
				for i := range c.ahead {
					s.enter(fmt.Sprint(i)).events.wait(election.EventJoined, 1)
				}
				s.Config.ACL = zk.WorldACL(zk.PermAll &^ c.lacks) // of the heartbeat alone
				loseReply := func(nth int) *zktest.Rule {
					return s.On(zktest.Match{Op: zktest.OpMulti, Path: beats + "*", Host: "x", Nth: nth}, zktest.LoseReply)
				}
				var lost *zktest.Rule
				if c.lost > 0 {
					lost = loseReply(c.lost)
				}
				el, err := election.New(s.Client("x"), stagePath, election.Config{ACL: zk.WorldACL(zk.PermAll)})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				terms := 0
				err = el.Run(ctx, func(ctx context.Context, term *election.Term) error {
					terms++
					await.Sleep(10 * stageD) // in which it has no need of READ
					if !term.Valid() || el.Status().Impaired != nil {
						t.Errorf("valid %v, impaired: %v", term.Valid(), el.Status().Impaired)
					}
					lost = loseReply(1)
					<-ctx.Done()
					return nil
				})
				var permanent *recipe.PermanentError
				if !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) {
					t.Fatalf("it ends with %v", err)
				}
				shared.Says(t, err, stagePath, dir, c.says)
				if led := terms > 0; led != c.leads || terms > 1 {
					t.Errorf("it led %d times", terms)
				}
				if lost != nil && lost.Hits() == 0 {
					t.Error("all answers came")
				}
				if left := s.inLine(); len(left) != c.ahead {
					t.Errorf("in the line: %+v", left)
				}
			})
		})
	}
}

func TestALeaseThatIsLongerThanTheLinesEndsACandidateForGood(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.makeNode(stagePath, "zkrecipe line 1\nlease 1.5s\nsettled 0\n", zk.PermAll)
		err := s.runOnce(stagePath)
		var permanent *recipe.PermanentError
		var long *recipe.LeaseError
		if !errors.As(err, &permanent) || !errors.As(err, &long) {
			t.Fatalf("it ends with %v", err)
		}
		if *long != (recipe.LeaseError{Path: stagePath, Lease: stageD, Allowed: 1500 * time.Millisecond}) {
			t.Errorf("%+v", *long)
		}
		shared.Says(t, err, "session.Config.Lease is 2s", stagePath, "1.5s", "record", "a shorter lease", "operations.md")
		s.Eventually("end of its znode", func() bool { return len(s.inLine()) == 0 })
		s.Config.Lease = time.Second // one that is short enough
		s.enter("a").term()
	})
}

// One server grants less than the others. The candidate that it serves makes the path, and the
// others must not be kept out by its record.
func TestACandidateWhoseLeaseWasCutLetsTheOthersIn(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Servers()[0].SetSessionLimits(stageT/2, stageT/2)
		s.Config.Lease = stageD
		short := s.enter("a", s.Addrs()[0])
		short.term()
		if D := s.Client("b").Status().LeaseTime; D != stageD {
			t.Fatalf("asked for %v", D)
		}
		long := s.enter("b", s.Addrs()[1])
		long.events.wait(election.EventHeir, 1)
		short.host.Drop()
		long.term()
	})
}

// A candidate of another library stands ahead. It promises nothing that could be waited for.
func TestNobodyWaitsForALeaseOfAnotherLibrarysCandidate(t *testing.T) {
	for name, style := range map[string]string{"LeaderLatch": "_c_6d9c7c1e-1cb2-4f6e-8f0a-b1fd3b2d0d2b-latch-", "kazoo": "6d9c7c1e1cb24f6e8f0ab1fd3b2d0d2b__lock__"} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				admin := s.Admin()
				s.makePath()
				node, err := admin.Create(t.Context(), stagePath+"/"+style, []byte("other"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
				if err != nil {
					t.Fatal(err)
				}
				a, b := s.enter("a"), (*candidate)(nil)
				a.events.wait(election.EventHeir, 1)
				b = s.enter("b")
				b.events.wait(election.EventJoined, 1)
				await.Sleep(stageD)
				if err := admin.Delete(t.Context(), node, -1); err != nil {
					t.Fatal(err)
				}
				gone := time.Now()
				first := a.term()
				first.Resign()
				b.term()
				if took := time.Since(gone); took > stageD/8 {
					t.Errorf("both have led after %v", took)
				}
				if n := a.events.count(election.EventWithheld) + b.events.count(election.EventWithheld); n != 0 {
					t.Errorf("withheld %d times", n)
				}
			})
		})
	}
}
