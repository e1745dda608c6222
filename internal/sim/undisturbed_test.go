package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A term lasts as long as nothing disturbs it, at any length of a lease, on a network whose round
// trips take up to a tenth of the shortest one.
func TestAnUndisturbedLeaderKeepsItsTermForAnHour(t *testing.T) {
	if rounds.RaceDetector || testing.Short() {
		t.Skip("SKIP: simulates three hours, without the race detector")
	}
	for _, D := range []time.Duration{200 * time.Millisecond, time.Second, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ens := zktest.Start(t, zktest.Config{
				Servers: 3, InMemory: true, Tick: tick, Latency: 2 * time.Millisecond, Jitter: 3 * time.Millisecond, Logf: func(string, ...any) {},
			})
			terms := make(chan *election.Term, 100)
			for _, name := range []string{"leader", "heir", "third"} {
				leads(t, ens, name, session.Config{Timeout: 10 * tick, Lease: D}, terms)
			}
			first := <-terms
			await.Sleep(time.Hour)
			if !first.Valid() || len(terms) > 0 {
				t.Errorf("a lease of %v: the first term has ended (%v), %d more have begun", D, context.Cause(first.Context()), len(terms))
			}
		})
	}
}
