package zktest_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// took is how long a ping takes.
func (c *raw) took() time.Duration {
	start := time.Now()
	c.settle()
	return time.Since(start)
}

func TestLatencyChangesWhileServersRun(t *testing.T) {
	inBubble(t, zktest.Config{Servers: 3, Latency: time.Millisecond}, func(t *testing.T, b *bench) {
		f := b.follower()
		a := b.on("a", f)
		b.e.Host("a").Delay(5*time.Millisecond, zktest.ToServer)
		for _, latency := range []time.Duration{1, 20, 0, 3} {
			latency *= time.Millisecond
			if latency != time.Millisecond { // that is what it began with
				b.e.SetLatency(latency, 0)
				<-time.After(time.Second) // what is on its way arrives first
			}
			if d := a.took() - 2*latency - 5*time.Millisecond; d < 0 || d > time.Millisecond/10 {
				t.Errorf("latency %v: a ping took %v too long", latency, d)
			}
			start := time.Now()
			a.create("/x-", nil, 2) // to the follower, the leader, the follower, back to the leader, and back
			b.want("err=0")
			if d := time.Since(start) - 6*latency - 5*time.Millisecond; d < 0 || d > time.Millisecond/10 {
				t.Errorf("latency %v: a write took %v too long", latency, d)
			}
		}
	})
}

func TestJitterIsDifferentForEachFrameAndKeepsOrder(t *testing.T) {
	const latency, jitter = 2 * time.Millisecond, 10 * time.Millisecond
	life := func() (all []time.Duration) {
		cfg := zktest.Config{Servers: 3, Seed: 7, Latency: latency, Jitter: jitter}
		inBubble(t, cfg, func(t *testing.T, b *bench) {
			a := b.on("a", b.follower())
			shortest, longest := time.Hour, time.Duration(0)
			for range 100 {
				d := a.took()
				all = append(all, d)
				shortest, longest = min(shortest, d), max(longest, d)
			}
			if shortest < 2*latency || shortest > 2*latency+jitter/2 || longest < 2*latency+jitter || longest > 2*(latency+jitter)+time.Millisecond/10 {
				t.Errorf("pings took %v to %v, want 4ms to 24ms", shortest, longest)
			}
			var xids []int
			for range 50 {
				xids = append(xids, a.post(1, "/x-", []byte{}, open, 2))
			}
			for _, xid := range xids {
				a.await(xid, 1, "create")
				b.want("err=0")
			}
			b.e.SetLatency(0, 0)
			if d := a.took(); d > time.Millisecond/10 {
				t.Errorf("a ping takes %v when all that is over", d)
			}
		})
		return all
	}
	first, second := life(), life()
	for i := range first {
		if d := (first[i] - second[i]).Abs(); d > time.Microsecond {
			t.Fatalf("ping %d took %v, and %v with the same seed", i, first[i], second[i])
		}
	}
}
