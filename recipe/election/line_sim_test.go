package election_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The number after 2147483647 is -2147483648 on old servers, and 2147483647 again on newer ones.
// Neither disturbs the leader, nor the order of those who join.
func TestTheLineIsKeptWhenTheNumbersRunOut(t *testing.T) {
	for name, wraps := range map[string]bool{"they wrap": true, "they stick": false} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{SequenceWraps: wraps}, func(t *testing.T, s *stage) {
				s.makePath()
				s.StartSequence(stagePath, math.MaxInt32-1)
				all, first := s.lineUp("a", "b", "c", "d", "e")
				await.Sleep(5 * stageT)
				if !first.Valid() || len(s.begun()) != 1 {
					t.Errorf("%d terms, the first valid: %v", len(s.begun()), first.Valid())
				}
				for i, a := range all[:4] {
					a.stop()
					all[i+1].term()
				}
			})
		})
	}
}

// A follower that lags behind shows old lines, but not to a candidate: what its server tells after
// its own create includes everything that was created before.
func TestACandidateAtALaggingFollowerSeesWhoIsAhead(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		slow := s.Followers()[0]
		s.Link(s.Leader(), slow).Delay(stageT / 20)
		for range 20 {
			begun := len(s.begun())
			a, b := s.enter("a", s.Leader().Addr()), s.enter("b", slow.Addr())
			s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
			s.Eventually("leader", func() bool { return len(s.begun()) > begun })
			await.Sleep(stageT / 2) // for the other, if it took itself for the first
			ahead := s.inLine()[0].Path
			if s.inLine()[0].Stat.Czxid > s.inLine()[1].Stat.Czxid {
				ahead = s.inLine()[1].Path
			}
			if s.begun()[begun].Node() != ahead || len(s.begun()) != begun+1 {
				t.Errorf("%s leads, %d terms; ahead is %s", s.begun()[begun].Node(), len(s.begun())-begun, ahead)
			}
			a.stop()
			b.stop()
			a.client.Close()
			b.client.Close()
		}
	})
}

// moving dials one address first and another from then on.
func moving(dial func(context.Context, string, string) (net.Conn, error), first, then string) func(context.Context, string, string) (net.Conn, error) {
	var dialed atomic.Bool
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		if dialed.CompareAndSwap(false, true) {
			return dial(ctx, network, first)
		}
		return dial(ctx, network, then)
	}
}

func TestAfterALostReplyALaggingServerIsNotBelieved(t *testing.T) {
	for name, lag := range map[string]func(s *stage, from, to *zktest.Server){
		"the new one lags": func(s *stage, _, to *zktest.Server) { s.Link(s.Leader(), to).Delay(stageT / 20) },
		"the old one lags": func(s *stage, from, _ *zktest.Server) { s.Link(from, s.Leader()).Delay(stageT / 20) },
	} {
		for effect, at := range map[string]zktest.Effect{"reply": zktest.LoseReply, "request": zktest.LoseRequest} {
			t.Run(name+", "+effect, func(t *testing.T) {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					s.makePath()
					from, to := s.Followers()[0], s.Followers()[1]
					lost := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: beats + "*", Nth: 1}, at)
					lag(s, from, to)
					s.Config.Dial = moving(s.Host("a").Dial, from.Addr(), to.Addr())
					a := s.enter("a", from.Addr())
					a.term()
					await.Sleep(stageT)
					if n := s.inLine(); len(n) != 1 || lost.Hits() != 1 {
						t.Errorf("%d znodes of one candidate, %d lost", len(n), lost.Hits())
					}
				})
			})
		}
	}
}

func TestAnHeirThatWasAwayLeadsOnItsReturn(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		await.Sleep(stageT)
		all[1].host.Hold()
		all[1].host.Cut()
		first.Resign()
		await.Sleep(stageT / 4)
		all[1].host.Heal()
		back := time.Now()
		all[1].term()
		if took := time.Since(back); took > stageT/4 {
			t.Errorf("it leads %v after its return", took)
		}
		if n := all[1].events.count(election.EventJoined); n != 1 {
			t.Errorf("joined %d times", n)
		}
	})
}

// The one ahead goes after the list that names it and before the read that is to watch it.
func TestTheOneAheadMayGoBeforeItIsWatched(t *testing.T) {
	var first atomic.Pointer[election.Term]
	cfg := zktest.Config{OnRequest: func(r zktest.Request) {
		if r.Host == "b" && r.Op == zktest.OpGetChildren2 {
			go first.Load().Resign()
		}
	}}
	onStage(t, cfg, func(t *testing.T, s *stage) {
		a := s.enter("a")
		first.Store(a.term())
		s.Host("b").Delay(stageT/20, zktest.ToServer)
		b := s.enter("b")
		b.term()
		creates := s.Counts().Requests[zktest.OpCreate]
		await.Sleep(stageT)
		if n := s.Counts().Requests[zktest.OpCreate]; n != creates {
			t.Errorf("%d creates afterwards", n-creates)
		}
		if n := b.events.count(election.EventJoined); n != 1 {
			t.Errorf("joined %d times", n)
		}
	})
}

// When leaders change quickly, candidates in the middle do not hear of all who have led before
// them.
func TestManyHandOversInQuickSuccessionCostAFewReadsEach(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const n = 30
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint(i))
		}
		all, _ := s.lineUp(names...)
		await.Sleep(stageT)
		before := s.Counts().Requests
		for i, a := range all[:n-1] {
			a.stop()
			all[i+1].term()
		}
		after := s.Counts().Requests
		reads := after[zktest.OpGetData] - before[zktest.OpGetData] + after[zktest.OpExists] - before[zktest.OpExists]
		if reads > 5*(n-1) {
			t.Errorf("%d reads for %d hand-overs", reads, n-1)
		}
	})
}

// A candidate that has waited since before several leaders crashed still has all of them in its
// list. It has to find out in time that it is the heir, whatever the session timeout.
func TestLeadersThatCrashOneAfterAnotherAreEachReplacedInALease(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const D = stageT / 16
		s.Config.Lease = D
		all, _ := s.lineUp("a", "b", "c", "d", "e", "f")
		await.Sleep(D)
		for i, a := range all[:len(all)-1] {
			a.host.Hold()
			crashed := time.Now()
			all[i+1].term()
			if took := time.Since(crashed); took > 2*D {
				t.Errorf("%v, %.1f D, after crash %d", took, float64(took)/float64(D), i+1)
			}
			await.Sleep(D / 4)
		}
	})
}

// A path that is deleted as soon as it is empty, as containers are, is made again.
func TestAPathThatVanishesBeforeTheCreateIsMadeAgain(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.enter("a")
		a.term()
		if err := s.Admin().EnsurePath(t.Context(), "/other", nil); err != nil {
			t.Fatal(err)
		}
		// A session's first place is created together with its heartbeat, this one alone.
		gone := s.On(zktest.Match{Op: zktest.OpMulti, Path: "/other/*", Nth: 1}, zktest.Fail(zktest.CodeNoNode))
		events := newEvents(t, "b")
		other, err := election.New(a.client, "/other", election.Config{OnEvent: events.Add})
		if err != nil {
			t.Fatal(err)
		}
		term, err := other.Campaign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		term.Release(t.Context())
		if n := events.count(election.EventFailed); n != 0 || gone.Hits() != 1 {
			t.Errorf("failed %d times after %d refusals; events:\n%v", n, gone.Hits(), events)
		}
	})
}

func TestAContainerMayBeTheElectionsPath(t *testing.T) {
	onStage(t, zktest.Config{ContainerCheck: time.Second}, func(t *testing.T, s *stage) {
		conn, _, err := zk.Connect(s.Addrs(), stageT, zk.WithLogInfo(false), zk.WithDialer(
			func(network, address string, _ time.Duration) (net.Conn, error) {
				return s.Dial(context.Background(), network, address)
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		const container = 4 // the mode on the wire
		for range 20 {
			if _, err := conn.CreateContainer(stagePath, nil, container, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
				t.Fatal(err)
			}
			a := s.enter("a")
			a.term()
			a.client.Close()
			a.stop()
			s.Eventually("end of the container", func() bool {
				ok, _, err := conn.Exists(stagePath)
				return err == nil && !ok
			})
		}
	})
}

// A znode of CreateProtected has a name that Curator's candidates would have, too. Its session does
// not beat for it. So nobody may take it for a silent candidate of this library.
func TestAProtectedZnodeAheadIsNotTakenOver(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		own := s.Session(s.Client("own"))
		path, err := own.CreateProtected(within(t), stagePath, "latch-", []byte("own"), nil)
		if err != nil {
			t.Fatal(err)
		}
		b := s.enter("b")
		b.events.wait(election.EventJoined, 1)
		await.Sleep(5 * stageT)
		if s.leading() != 0 || own.Err() != nil {
			t.Errorf("%d lead; the session ahead: %v", s.leading(), own.Err())
		}
		if err := own.EnsureDeleted(within(t), path); err != nil {
			t.Fatal(err)
		}
		b.term()
	})
}
