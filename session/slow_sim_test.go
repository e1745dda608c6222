package session_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// slowStart is a connection whose first answer, that of the handshake, is late.
type slowStart struct {
	net.Conn
	late     time.Duration
	deadline time.Time
	first    sync.Once
}

func (c *slowStart) SetDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

func (c *slowStart) Read(p []byte) (int, error) {
	c.first.Do(func() { time.Sleep(min(c.late, time.Until(c.deadline))) })
	return c.Conn.Read(p)
}

// After its restart a server is busy with the handshakes of all its clients, and answers each of
// them late. Attempts that end too early only make that worse.
func TestASlowHandshakeIsWaitedForInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Logf: func(string, ...any) {}})
		dials := 0
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			conn, err := e.Host("a").Dial(ctx, network, address)
			return &slowStart{Conn: conn, late: simT * 3 / 10}, err
		}
		client := open(t, e.ConnectString(), session.Config{Timeout: simT, Dial: dial})
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 3*simT)
		defer cancel()
		s, err := client.Session(ctx)
		must(t, err)
		if dials <= len(e.Addrs()) {
			t.Errorf("%d attempts: the first round has succeeded, so this test shows nothing", dials)
		}
		if _, _, err := s.Get(t.Context(), "/"); err != nil {
			t.Error(err)
		}
	})
}

// All servers restart while the session holds a place. Its lease is lost, but not the session: an
// attempt gets more time the longer no server has answered.
func TestASlowHandshakeIsWaitedForWhereALeaseWasLost(t *testing.T) {
	for seed := range int64(20) {
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Seed: seed, Logf: func(string, ...any) {}})
			var late atomic.Int64
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := e.Host("a").Dial(ctx, network, address)
				return &slowStart{Conn: conn, late: time.Duration(late.Load())}, err
			}
			client := open(t, e.ConnectString(), session.Config{Timeout: simT, Lease: simT / 20, Dial: dial})
			defer client.Close()
			s := established(t, client)
			_, lease := held(t, s)
			late.Store(int64(simT * 3 / 10))
			e.Host("a").Cut()
			begun := time.Now()
			_, _, err := s.Get(t.Context(), "/")
			must(t, err)
			if lease.Valid() {
				t.Error("the lease was not lost, so this test shows nothing")
			}
			if took := time.Since(begun); took > simT {
				t.Errorf("seed %d: connected after %v, with a session timeout of %v", seed, took, simT)
			}
		})
	}
}
