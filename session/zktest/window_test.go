package zktest_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// earliestEnd lets a client of a follower ping every T/3, as clients do, and write at the given
// interval, if any. Then the client writes once more, and the follower is cut off when that is
// answered. It returns how soon after the start of that last write the session was over, at worst,
// as a part of T.
func earliestEnd(t *testing.T, every time.Duration) float64 {
	const T = 4 * time.Second // two ticks, the least a server grants
	rng := rand.New(rand.NewPCG(3, 4))
	worst := 10.0
	for seed := range int64(200) {
		cfg := zktest.Config{Servers: 3, Tick: T / 2, Seed: seed, Logf: func(string, ...any) {}}
		inBubble(t, cfg, func(t *testing.T, b *bench) {
			f := b.follower()
			a := b.timed("a", f, int(T.Milliseconds()))
			a.create("/e", nil, 1)
			end := time.Now().Add(3*T + time.Duration(rng.Int64N(int64(T))))
			ping, write := time.Now(), time.Now()
			for time.Now().Before(end) {
				if now := time.Now(); !now.Before(ping) {
					a.settle()
					ping = now.Add(T / 3)
				}
				if now := time.Now(); every > 0 && !now.Before(write) {
					a.transact(mkCheck("/e", -1))
					write = now.Add(every)
				}
				<-time.After(10 * time.Millisecond)
			}
			start := time.Now()
			a.transact(mkCheck("/e", -1))
			b.want("err=0")
			b.e.Server(f).Isolate()
			for len(b.e.Sessions()) > 0 {
				<-time.After(10 * time.Millisecond)
			}
			worst = min(worst, float64(time.Since(start))/float64(T))
		})
	}
	return worst
}

// A real ensemble gave 0.648 T here: a write is no sign of life at the leader, so that a session
// may be over sooner than T after an answer. A simulated ensemble that keeps sessions longer could
// not show that a lease must not rest on answers.
func TestASingleWriteKeepsASessionForLessThanTwoThirdsOfT(t *testing.T) {
	if worst := earliestEnd(t, 0); worst < 0.4 || worst > 0.66 {
		t.Errorf("earliest end %.3f T after the start of a single write, want 0.4 to 0.66", worst)
	}
}

// The touches of earlier writes reach the leader within half a tick.
func TestSteadyWritesKeepTheSessionLonger(t *testing.T) {
	if worst := earliestEnd(t, 500*time.Millisecond); worst < 0.625 {
		t.Errorf("earliest end %.3f T after the start of the last of many writes, want 0.625 at least", worst)
	} else {
		t.Logf("earliest end %.3f T", worst)
	}
}
