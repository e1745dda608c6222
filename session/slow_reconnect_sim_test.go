package session_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// lateEnsemble answers each handshake late, and knows how long each attempt was given.
type lateEnsemble struct {
	*zktest.Ensemble
	late  atomic.Int64
	given []time.Duration // by one attempt after the other; read while none is under way
}

// startLate starts the servers, none of them late yet, and opens a session until the test ends.
func startLate(t *testing.T, seed int64, timeout, lease time.Duration) (*lateEnsemble, *session.Session) {
	t.Helper()
	e := &lateEnsemble{Ensemble: zktest.Start(t, zktest.Config{
		Servers: 3, InMemory: true, Tick: 2 * time.Second, Latency: time.Millisecond, Seed: seed, Logf: func(string, ...any) {}})}
	client := open(t, e.ConnectString(), session.Config{Timeout: timeout, Lease: lease, Dial: e.dial})
	t.Cleanup(func() { client.Close() })
	return e, established(t, client)
}

func (e *lateEnsemble) dial(ctx context.Context, network, address string) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	e.given = append(e.given, time.Until(deadline))
	conn, err := e.Host("a").Dial(ctx, network, address)
	return &slowStart{Conn: conn, late: time.Duration(e.late.Load())}, err
}

// reconnect cuts the connection and returns how long it took until a server answered again, and how
// long each attempt was given.
func (e *lateEnsemble) reconnect(t *testing.T, s *session.Session) (took time.Duration, given []time.Duration) {
	t.Helper()
	e.given = nil
	begun := time.Now()
	e.Host("a").Cut()
	_, _, err := s.Get(t.Context(), "/")
	must(t, err)
	return time.Since(begun), e.given
}

// A session holds a place when its connection breaks, and each server takes longer for a handshake
// than an attempt gets at first, D/8. If they take less than D/4, the second round succeeds while
// the lease runs. If they take longer, the lease is over, and says so, but not the session.
func TestAHandshakeThatTakesLongerThanAnAttemptGetsWhileALeaseRuns(t *testing.T) {
	const T, D = 12 * time.Second, 4 * time.Second
	for _, c := range []struct {
		late   time.Duration
		kept   bool // the lease
		within time.Duration
	}{
		{D / 8 * 11 / 10, true, D * 11 / 16},
		{D / 5, true, D * 11 / 16},
		{D / 4 * 11 / 10, false, 2 * D},
		{D * 9 / 10, false, T},
	} {
		t.Run(c.late.String(), func(t *testing.T) {
			for seed := range int64(10) {
				synctest.Test(t, func(t *testing.T) {
					e, s := startLate(t, seed, T, D)
					p, lease := held(t, s)
					await.Sleep(T + D/40*time.Duration(seed)) // anywhere between two beats
					id, until := s.ID(), time.Now().Add(lease.Remaining())

					e.late.Store(int64(c.late))
					took, given := e.reconnect(t, s)
					if given[0] != D/8 || len(given) < 4 {
						t.Errorf("seed %d: attempts were given %v, so this test shows nothing", seed, given)
					}
					for i, d := range given[1:] {
						if d < given[i] || d > T {
							t.Errorf("seed %d: attempts were given %v; want more and more, up to %v", seed, given, T)
						}
					}
					if took > c.within || s.ID() != id {
						t.Errorf("seed %d: connected after %v, attempts were given %v; session 0x%x after 0x%x", seed, took, given, s.ID(), id)
					}
					if over := !lease.Valid(); over == c.kept || over && time.Now().Before(until) {
						t.Errorf("seed %d: the lease is over: %v, after %v, and was to last until %v later", seed, over, took, time.Until(until))
					}
					await.Sleep(D / 4)
					if !p.lease(t).Valid() {
						t.Errorf("seed %d: no lease after the reconnect", seed)
					}

					e.late.Store(0)
					await.Sleep(2 * T)
					kept := p.lease(t)
					if _, given = e.reconnect(t, s); len(given) != 1 || given[0] != D/8 {
						t.Errorf("seed %d: after a success attempts were given %v; want %v", seed, given, D/8)
					}
					await.Sleep(D)
					if !kept.Valid() {
						t.Errorf("seed %d: the second lease was lost", seed)
					}
				})
			}
		})
	}
}

// The whole network is slow: not only each handshake takes longer than D/8, but each beat, too. The
// connection does not break under a beat: to find out about that takes another request.
func TestALeaseOutlivesAReconnectOnASlowNetwork(t *testing.T) {
	const T, D = 12 * time.Second, 4 * time.Second
	for seed := range int64(10) {
		synctest.Test(t, func(t *testing.T) {
			e, s := startLate(t, seed, T, D)
			_, lease := held(t, s)
			await.Sleep(T)
			await.Until(t, "beat that has just been answered", func() bool { return lease.Remaining() > D*9/10 })
			e.Host("a").Delay(D/5, zktest.ToServer)
			if _, given := e.reconnect(t, s); len(given) < 4 {
				t.Errorf("seed %d: attempts were given %v, so this test shows nothing", seed, given)
			}
			attempts := len(e.given)
			await.Sleep(5 * T)
			if !lease.Valid() || len(e.given) != attempts {
				t.Errorf("seed %d: the lease is valid: %v; %d attempts after the reconnect", seed, lease.Valid(), len(e.given)-attempts)
			}
			e.Host("a").Heal()
		})
	}
}

// The network has become so slow that a session without places just stays connected: it is silent
// for T/3 until its first ping, and has to have the answer at 2T/3. A place does not change that.
// Its lease is lost if an answer takes longer than half of it, and comes back.
func TestAPlaceDoesNotKeepASessionFromStayingConnected(t *testing.T) {
	const T, answer = 12 * time.Second, 12 * time.Second * 3 / 10
	for _, D := range []time.Duration{T / 2, T / 4, T / 10, T / 40} {
		for seed := range int64(5) {
			synctest.Test(t, func(t *testing.T) {
				e, s := startLate(t, seed, T, D)
				p, _ := held(t, s)
				await.Sleep(T + D/20*time.Duration(seed)) // anywhere between two beats
				e.Host("a").Delay(answer / 2)
				await.Sleep(10 * T)
				attempts := len(e.given)
				await.Sleep(10 * T)
				if n := len(e.given) - attempts; attempts == 1 || n != 0 || s.Err() != nil {
					t.Errorf("D = %v, seed %d: %d attempts in the first ten T, %d in the next; session over: %v", D, seed, attempts, n, s.Err())
				}
				e.Host("a").Heal()
				await.Sleep(T)
				if p.hold.Lease() == nil {
					t.Errorf("D = %v, seed %d: no lease after that", D, seed)
				}
			})
		}
	}
}
