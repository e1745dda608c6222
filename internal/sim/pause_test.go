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

// paused is a leader and its heir, of which the leader's process is paused again and again for
// some part of a lease, at different phases of its beats. It counts the terms.
func paused(t *testing.T, pause time.Duration, suspend bool) (terms int) {
	synctest.Test(t, func(t *testing.T) {
		const D = 2 * time.Second
		ens := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: tick, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		begun := make(chan struct{}, 100)
		open := func(name string, seed int64) *procClock {
			c := newProcClock(1, seed)
			client, err := session.Open(ens.ConnectString(), session.Config{
				Timeout: 4 * tick, Lease: D, Dial: ens.Host(name).Dial, Context: clock.With(context.Background(), c),
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
				begun <- struct{}{}
				<-ctx.Done()
				return nil
			})
			return c
		}
		leader := open("a", 1)
		<-begun
		open("b", 2)
		host := ens.Host("a")
		for round := range 16 {
			time.Sleep(2*D + time.Duration(round)*D/64)
			leader.pause(suspend)
			host.Hold()
			time.Sleep(pause)
			leader.resume()
			host.Heal()
		}
		time.Sleep(2 * D)
		terms = 1 + len(begun)
	})
	return terms
}

// A process that is paused for up to 0.65 of a lease, garbage collection or a throttled CPU for
// instance, keeps its term; for longer than a lease it does not.
func TestPausesOfUpToTwoThirdsOfALeaseCostNoTerm(t *testing.T) {
	const D = 2 * time.Second
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
