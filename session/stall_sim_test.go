package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// All servers stand still for D/2, which begins at any time between two beats. A term ends by
// default D/16 before its lease. The servers go on one after the other. So a handshake that was
// given up may arrive after the one that is answered first, and move the session away.
func TestALeaseOutlivesAStallOfAllServersForHalfOfIt(t *testing.T) {
	const rounds = 120
	for i := range rounds {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{
				Servers: 3, InMemory: true, Tick: 2 * time.Second, Seed: int64(i),
				Latency: time.Millisecond / 2, Jitter: time.Millisecond, Logf: func(string, ...any) {},
			})
			client := open(t, e.ConnectString(), session.Config{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond, Dial: e.Host("a").Dial})
			defer client.Close()
			s := established(t, client)
			_, lease := held(t, s)
			D := s.LeaseTime()
			await.Sleep(2*D + D/4*time.Duration(i)/rounds)
			for _, x := range e.Servers() {
				x.Freeze()
			}
			await.Sleep(D / 2)
			for j, x := range e.Servers() {
				await.Sleep(D / 200 * time.Duration((7*i+5*j)%9))
				x.Thaw()
			}
			for range 200 {
				if lease.Remaining() < D/16 {
					t.Fatalf("round %d: the lease was nearly lost", i)
				}
				await.Sleep(D / 100)
			}
		})
	}
}
