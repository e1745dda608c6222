package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// D is the lease of these tests.
const D = 2 * time.Second

// leaderAndHeir is a leader and its heir.
type leaderAndHeir struct {
	ens    *zktest.Ensemble
	leader *procClock
	terms  chan *election.Term // that have begun
}

func newLeaderAndHeir(t *testing.T) *leaderAndHeir {
	ens := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: tick, Latency: time.Millisecond, Logf: func(string, ...any) {}})
	p := &leaderAndHeir{ens: ens, terms: make(chan *election.Term, 100)}
	enter := func(name string, seed int64) *procClock {
		clk := newProcClock(1, seed)
		leads(t, ens, name, session.Config{Timeout: 4 * tick, Lease: D, Context: clock.With(context.Background(), clk)}, p.terms)
		return clk
	}
	p.leader = enter("a", 1)
	p.terms <- <-p.terms // it leads
	enter("b", 2)
	return p
}

// leads runs a candidate until the test ends. It leads as long as it may, and sends each term to
// terms.
func leads(t *testing.T, ens *zktest.Ensemble, name string, cfg session.Config, terms chan<- *election.Term) {
	t.Helper()
	cfg.Dial = ens.Host(name).Dial
	client, err := session.Open(ens.ConnectString(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	el, err := election.New(client, "/e", election.Config{ID: name})
	if err != nil {
		t.Fatal(err)
	}
	go el.Run(context.Background(), func(ctx context.Context, term *election.Term) error {
		terms <- term
		<-ctx.Done()
		return nil
	})
}

// paused pauses the leader's process again and again for some part of a lease, at different phases
// of its beats. It counts the terms.
func paused(t *testing.T, pause time.Duration, suspend bool) (terms int) {
	synctest.Test(t, func(t *testing.T) {
		p := newLeaderAndHeir(t)
		host := p.ens.Host("a")
		for round := range 16 {
			await.Sleep(2*D + time.Duration(round)*D/64)
			p.leader.pause(suspend)
			host.Hold()
			await.Sleep(pause)
			p.leader.resume()
			host.Heal()
		}
		await.Sleep(2 * D)
		terms = len(p.terms)
	})
	return terms
}

// A timer stands still while the host is suspended. The context of a leader that is suspended while
// it is cut off ends in time all the same.
func TestAfterASuspensionTheContextEndsBeforeTheNextTermBegins(t *testing.T) {
	for round := range 40 {
		synctest.Test(t, func(t *testing.T) {
			p := newLeaderAndHeir(t)
			first := <-p.terms
			await.Sleep(2*D + time.Duration(round)*D/13)
			p.ens.Host("a").Hold()
			p.leader.pause(true)
			await.Sleep(D / 2)
			p.leader.resume()
			<-p.terms
			if !closed(first.Context().Done()) {
				t.Errorf("phase %d: the next term has begun, and the context of the one before is not cancelled", round)
			}
			p.ens.Host("a").Heal()
		})
	}
}

// A process that is paused for up to 0.65 of a lease keeps its term: garbage collection or a
// throttled CPU may pause it so long. After a pause longer than a lease it does not.
func TestPausesOfUpToTwoThirdsOfALeaseCostNoTerm(t *testing.T) {
	if rounds.RaceDetector {
		t.Skip("SKIP: simulates a thousand leases, without the race detector")
	}
	for name, suspend := range map[string]bool{"paused": false, "suspended": true} {
		t.Run(name, func(t *testing.T) {
			for percent := 10; percent <= 65; percent += 5 {
				if n := paused(t, D*time.Duration(percent)/100, suspend); n != 1 {
					t.Errorf("pauses of %d %% of a lease: %d terms", percent, n)
				}
			}
			if n := paused(t, D*5/4, suspend); n < 2 {
				t.Error("pauses longer than a lease cost no term")
			}
		})
	}
}
