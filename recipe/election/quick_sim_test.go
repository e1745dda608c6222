package election_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Even the longest StopBefore that New allows does not use up the lease.
func TestAnUndisturbedTermLastsWhateverStopBeforeIs(t *testing.T) {
	atEachLease(t, 1, func(t *testing.T, s *stage, _ *rand.Rand) {
		D := s.Config.Lease
		a := s.enterWith("a", election.Config{StopBefore: D / 4}, untilTheEnd)
		first := a.term()
		b := s.enter("b")
		b.events.wait(election.EventHeir, 1)
		await.Sleep(200 * D / time.Duration(rounds.Stride(4)))
		if !first.Valid() || first.Context().Err() != nil || len(s.begun()) != 1 {
			t.Errorf("%d terms; the first is valid: %v", len(s.begun()), first.Valid())
		}
	})
}

// A leader whose network, or whose servers, stand still for up to 0.65 D keeps its term; for D and
// more it loses it, and another leads.
func TestPausesOfUpToTwoThirdsOfTheLeaseCostNoTerm(t *testing.T) {
	const D = 4 * time.Second
	for name, pause := range map[string]func(s *stage, d time.Duration){
		"the network": func(s *stage, d time.Duration) {
			s.Host("a").Hold()
			await.Sleep(d)
			s.Host("a").Heal()
		},
		"the servers": func(s *stage, d time.Duration) {
			for _, server := range s.Servers() {
				server.Freeze()
			}
			await.Sleep(d)
			for _, server := range s.Servers() {
				server.Thaw()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for percent := 65; percent >= 10; percent -= 5 * rounds.Stride(3) {
				onStage(t, zktest.Config{Seed: int64(percent)}, func(t *testing.T, s *stage) {
					s.Config = session.Config{Lease: D, Timeout: 10 * time.Second}
					all, first := s.lineUp("a", "b")
					for round := range 20 {
						await.Sleep(2*D + time.Duration(round)*D/80) // at each phase of the beats
						pause(s, time.Duration(percent)*D/100)
						await.Sleep(D)
						if !first.Valid() || first.Context().Err() != nil {
							t.Fatalf("%d %%: the term is lost in round %d; events:\n%v%v", percent, round, all[0].events, all[1].events)
						}
					}
				})
			}
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.Config = session.Config{Lease: D, Timeout: 10 * time.Second}
				all, first := s.lineUp("a", "b")
				await.Sleep(2 * D)
				pause(s, D*5/4)
				if first.Valid() || first.Context().Err() == nil {
					t.Error("a pause of 1.25 D costs nothing")
				}
				all[1].term()
			})
		})
	}
}

// gaps measures how long nobody led between the terms of one election.
type gaps struct {
	mu    sync.Mutex // guards what follows
	ended time.Time
	all   []time.Duration
}

// lead leads for a while and gives the leadership back.
func (g *gaps) lead(d time.Duration) func(context.Context, *election.Term) error {
	return func(ctx context.Context, term *election.Term) error {
		g.mu.Lock()
		if !g.ended.IsZero() {
			g.all = append(g.all, time.Since(g.ended))
		}
		g.mu.Unlock()
		time.Sleep(d)
		term.Resign()
		g.mu.Lock()
		g.ended = time.Now()
		g.mu.Unlock()
		return nil
	}
}

func (g *gaps) list() []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := slices.Clone(g.all)
	slices.Sort(all)
	return all
}

// A hundred candidates over ten sessions hand over the leadership every 20 ms.
func TestHandOversInQuickSuccessionDoNotStall(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config = session.Config{Lease: 4 * time.Second, Timeout: 15 * time.Second}
		var g gaps
		for i := range 10 {
			client := s.Client(fmt.Sprint("h", i))
			for range 10 {
				s.stand(client, stagePath, election.Config{}, g.lead(20*time.Millisecond))
			}
		}
		await.Sleep(30 * time.Second / time.Duration(rounds.Stride(3)))
		all := g.list()
		t.Logf("%d hand-overs, p50 %v, p99 %v, max %v", len(all), all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
		if p50, longest := all[len(all)/2], all[len(all)-1]; p50 > 20*time.Millisecond || longest > 200*time.Millisecond {
			t.Errorf("nobody led for %v (p50), %v (at most)", p50, longest)
		}
	})
}

// Five candidates, of whom the leader resigns every 60 ms: somebody leads at once.
func TestLeadersThatResignAgainAndAgainLeaveNoGap(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var g gaps
		for i := range 5 {
			s.stand(s.Client(fmt.Sprint("h", i)), stagePath, election.Config{}, g.lead(60*time.Millisecond))
		}
		s.Eventually("hundred resignations", func() bool { return len(g.list()) >= 100 })
		all := g.list()
		t.Logf("p50 %v, p99 %v, max %v", all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
		if longest := all[len(all)-1]; longest > 60*time.Millisecond {
			t.Errorf("nobody led for %v", longest)
		}
	})
}
