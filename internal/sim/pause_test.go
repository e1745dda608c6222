package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// D is the lease of these tests.
const D = 2 * time.Second

// couple is a leader and its heir.
type couple struct {
	ens    *zktest.Ensemble
	leader *procClock
	begun  chan context.Context // of each term
}

func newCouple(t *testing.T) *couple {
	ens := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: tick, Latency: time.Millisecond, Logf: func(string, ...any) {}})
	c := &couple{ens: ens, begun: make(chan context.Context, 100)}
	open := func(name string, seed int64) *procClock {
		clk := newProcClock(1, seed)
		client, err := session.Open(ens.ConnectString(), session.Config{
			Timeout: 4 * tick, Lease: D, Dial: ens.Host(name).Dial, Context: clock.With(context.Background(), clk),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		el, err := election.New(client, "/e", election.Config{ID: name})
		if err != nil {
			t.Fatal(err)
		}
		go el.Run(context.Background(), func(ctx context.Context, _ *election.Term) error {
			c.begun <- ctx
			<-ctx.Done()
			return nil
		})
		return clk
	}
	c.leader = open("a", 1)
	c.begun <- <-c.begun // it leads
	open("b", 2)
	return c
}

// paused pauses the leader's process again and again for some part of a lease, at different phases of
// its beats. It counts the terms.
func paused(t *testing.T, pause time.Duration, suspend bool) (terms int) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		host := c.ens.Host("a")
		for round := range 16 {
			time.Sleep(2*D + time.Duration(round)*D/64)
			c.leader.pause(suspend)
			host.Hold()
			time.Sleep(pause)
			c.leader.resume()
			host.Heal()
		}
		time.Sleep(2 * D)
		terms = len(c.begun)
	})
	return terms
}

// A timer stands still while the host is suspended. The context of a leader that is suspended while it
// is cut off ends in time all the same.
func TestAfterASuspensionTheContextEndsBeforeTheNextTermBegins(t *testing.T) {
	for round := range 40 {
		synctest.Test(t, func(t *testing.T) {
			c := newCouple(t)
			leads := <-c.begun
			time.Sleep(2*D + time.Duration(round)*D/13)
			c.ens.Host("a").Hold()
			c.leader.pause(true)
			time.Sleep(D / 2)
			c.leader.resume()
			<-c.begun
			if !closed(leads.Done()) {
				t.Errorf("phase %d: the next term has begun, and the context of the one before is not cancelled", round)
			}
			c.ens.Host("a").Heal()
		})
	}
}

// A process that is paused for up to 0.65 of a lease, garbage collection or a throttled CPU for
// instance, keeps its term; for longer than a lease it does not.
func TestPausesOfUpToTwoThirdsOfALeaseCostNoTerm(t *testing.T) {
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
