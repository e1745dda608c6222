package election_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// If nobody hears a leader any more, or it hears nobody, it has stopped before the next one begins.
// It stays stopped, for any length of time.
func TestALeaderThatIsCutOffHasStoppedWhenTheNextBegins(t *testing.T) {
	for name, cut := range map[string]func(s *stage, leader *candidate){
		"silent in both directions": func(s *stage, leader *candidate) { leader.host.Drop() },
		"not heard, but hearing":    func(s *stage, leader *candidate) { s.sendEvents(leader); leader.host.Drop(zktest.ToServer) },
		"not hearing, but heard":    func(s *stage, leader *candidate) { leader.host.Drop(zktest.ToClient) },
		"late replies, then none": func(s *stage, leader *candidate) {
			leader.host.Delay(stageT*9/10, zktest.ToClient)
			await.Sleep(stageT / 16)
			leader.host.Hold()
		},
		"its server": func(s *stage, leader *candidate) {
			s.Server(s.ConnOf(leader.client.Status().Session).Server()).Isolate()
			leader.host.Hold()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := 0; seed < 20; seed += rounds.Stride(4) {
				onStage(t, zktest.Config{Seed: int64(seed)}, func(t *testing.T, s *stage) {
					rng := rand.New(rand.NewPCG(3, uint64(seed)))
					all, first := s.lineUp("a", "b")
					await.Sleep(time.Duration(rng.Int64N(int64(2 * stageT))))
					cut(s, all[0])
					all[1].term() // compared with the first
					await.Sleep(10 * stageT)
					if first.Valid() || first.Context().Err() == nil || s.leading() != 1 {
						t.Errorf("seed %d: %d lead", seed, s.leading())
					}
					if n := all[0].events.count(election.EventElected); n != 1 {
						t.Errorf("seed %d: elected %d times while cut off", seed, n)
					}
				})
			}
		})
	}
}

// sendEvents makes watch events come to a client all the time, every T/3.
func (s *stage) sendEvents(to *candidate) {
	admin, client := s.Admin(), s.Session(to.client)
	for i := range 30 {
		path := fmt.Sprintf("/events/%d", i)
		if err := admin.EnsurePath(s.T.Context(), path, nil); err != nil {
			s.T.Fatal(err)
		}
		w := client.Watch(path, make(chan struct{}, 1))
		s.T.Cleanup(w.Stop)
		if _, _, err := w.Get(s.T.Context()); err != nil {
			s.T.Fatal(err)
		}
		time.AfterFunc(time.Duration(i)*stageT/3, func() { admin.Set(context.Background(), path, nil, -1) })
	}
}

func TestReconnectsThatComeInPairsKeepOneZnodeForEach(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		rng := rand.New(rand.NewPCG(4, 0))
		all, _ := s.lineUp("a", "b", "c")
		for range 50 {
			for _, a := range all {
				a.host.Cut()
			}
			await.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
			for _, a := range all {
				a.host.Cut()
			}
			await.Sleep(time.Duration(rng.Int64N(int64(stageT))))
		}
		await.Sleep(10 * stageT)
		if n := len(s.inLine()); n != 3 || s.leading() != 1 {
			t.Errorf("%d znodes, %d lead", n, s.leading())
		}
	})
}

// Each new ZooKeeper leader gives every session its full timeout again, so that a session may
// outlive T. Nobody waits for that: the lease is over long before.
func TestASessionThatOutlivesItsTimeoutIsNotWaitedFor(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		id := all[0].client.Status().Session
		all[0].host.Drop()
		leader := s.Leader()
		leader.Kill()
		cut := time.Now()
		s.Eventually("new ZooKeeper leader", func() bool { return s.Leader() != nil })
		all[1].term()
		if took := time.Since(cut); took > stageD*135/100+stageTick || first.Valid() {
			t.Errorf("the next leads after %v; the first still: %v", took, first.Valid())
		}
		if !slices.ContainsFunc(s.Sessions(), func(x zktest.Session) bool { return x.ID == id }) {
			t.Error("the session was over: nothing was tested")
		}
		leader.Start()
	})
}

// If the answer to a beat is not a success, the lease runs out. (That the znode is gone is left
// out: it is believed.)
func TestNoAnswerButASuccessKeepsALeader(t *testing.T) {
	for _, code := range []zktest.Code{-1, -2, -4, -5, -6, -7, -8, -102, -112, -118, -122, -125, -127, -999} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				all, first := s.lineUp("a", "b")
				await.Sleep(2 * stageT)
				s.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.Fail(code))
				await.Sleep(stageT)
				if first.Valid() || first.Context().Err() == nil {
					t.Error("it leads on")
				}
				all[1].term()
			})
		})
	}
}

// Won and lost within milliseconds: whichever is first, the callback's context ends.
func TestATermThatIsLostWhileItBeginsIsOver(t *testing.T) {
	called := 0
	for delay := time.Duration(0); delay < 15*time.Millisecond; delay += 100 * time.Microsecond {
		var begin chan struct{}
		cfg := zktest.Config{OnCommit: func(c zktest.Commit) {
			for _, ch := range c.Changes {
				if ch.Op == zktest.OpCreate && ch.Owner != 0 {
					begin <- struct{}{}
				}
			}
		}}
		onStage(t, cfg, func(t *testing.T, s *stage) {
			begin = make(chan struct{}, 100) // the bubble's own
			s.turns.Expels = true
			a := s.enter("a")
			<-begin
			await.Sleep(delay)
			s.ExpireSession(s.Sessions()[0].ID)
			a.host.Drop()
			await.Sleep(2 * stageT)
			for _, term := range s.begun() {
				called++
				if term.Valid() || term.Context().Err() == nil {
					t.Errorf("lost %v after the create, and it leads on", delay)
				}
			}
		})
	}
	if called == 0 {
		t.Error("nobody was ever elected: nothing was tested")
	}
}

// Close takes the longest: 3 s for the znode, T/3 for a connection, and the second that zk gives
// its request to close the session. Whether zk needs that second depends on which of its goroutines
// runs first.
func TestResigningAndClosingEndAlthoughNobodyAnswers(t *testing.T) {
	for name, end := range map[string]func(a *candidate, term *election.Term){
		"Resign": func(a *candidate, term *election.Term) { term.Resign() },
		"stop":   func(a *candidate, term *election.Term) { a.stop() },
		"Close":  func(a *candidate, term *election.Term) { a.client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				all, first := s.lineUp("a", "b")
				all[0].host.Drop()
				begun := time.Now()
				end(all[0], first)
				if took := time.Since(begun); took > 3*time.Second+stageT/3+time.Second {
					t.Errorf("it took %v", took)
				}
				if first.Valid() {
					t.Error("valid afterwards")
				}
				all[1].term() // the session's end frees the place
			})
		})
	}
}

// In steady state any lease has at least 3D/4 left. A cut costs no term if it is shorter than that
// by the time to notice the cut, StopBefore and a beat. Some longer cuts cost a term.
func TestCutsForAQuarterOfTheLeaseCostNobodyTheTerm(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		rng := rand.New(rand.NewPCG(5, 0))
		all, first := s.lineUp("a", "b")
		for range 200 / rounds.Stride(4) {
			await.Sleep(stageT + time.Duration(rng.Int64N(int64(stageT))))
			all[0].host.Hold()
			all[0].host.Cut()
			await.Sleep(stageD / 4)
			all[0].host.Heal()
		}
		if !first.Valid() || all[1].events.count(election.EventElected) != 0 {
			t.Errorf("the leader is gone; events:\n%v", all[0].events)
		}
	})
}

func TestRestartsOfAllServersCostOneHandOverEachAtMost(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.lineUp("a", "b", "c")
		for round := range 20 / rounds.Stride(2) {
			before := len(s.begun())
			rolling := round%2 == 0
			for _, server := range s.Servers() {
				server.Kill()
				if rolling {
					await.Sleep(stageT / 8)
					server.Start()
					await.Sleep(2 * stageT)
				}
			}
			await.Sleep(time.Duration(round) * stageT / 10)
			for _, server := range s.Servers() {
				server.Start()
			}
			await.Sleep(5 * stageT)
			allowed := 1
			if rolling { // of three restarts one concerns the ZooKeeper leader, then perhaps the next
				allowed = 3
			}
			if n := len(s.begun()) - before; n > allowed || s.leading() != 1 {
				t.Errorf("round %d: %d new terms, %d lead", round, n, s.leading())
			}
		}
	})
}

// A leader that is cut off may do harm as long as its lease runs, and its health is known here.
func TestHealthIsHeededWhileSuspended(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var ill atomic.Bool
		sick := errors.New("sick")
		healthy := func(context.Context) error {
			if ill.Load() {
				return sick
			}
			return nil
		}
		a := s.enterWith("a", election.Config{Healthy: healthy, HealthEvery: stageD / 40}, untilTheEnd)
		term := a.term()
		a.host.Drop()
		a.events.wait(election.EventSuspended, 1)
		await.Sleep(stageD / 40) // a step waits for the connection
		ill.Store(true)
		told := time.Now()
		if ev := a.events.wait(election.EventDeposed, 1); ev.Reason != recipe.ReasonUnhealthy || !errors.Is(ev.Err, sick) {
			t.Errorf("deposed for %v, %v; want %v", ev.Reason, ev.Err, recipe.ReasonUnhealthy)
		}
		if took := time.Since(told); took > stageD/20 || term.Valid() {
			t.Errorf("deposed after %v, valid: %v", took, term.Valid())
		}
	})
}
