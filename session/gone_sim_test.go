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

// swallowing is a connection that is cut off after its first request if silent is set. Its reader
// notices the end late, as on a busy machine.
type swallowing struct {
	net.Conn
	silent *atomic.Bool
	late   time.Duration
	asked  atomic.Bool
}

func (c *swallowing) Write(p []byte) (int, error) {
	if c.asked.Swap(true) && c.silent.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *swallowing) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		time.Sleep(c.late)
	}
	return n, err
}

// A connection that was given up takes a moment to end. What happens meanwhile does not make the
// session wait longer for the next connection. No beat is tried meanwhile either: after a beat that
// fails, the next is not made at once.
func TestAConnectionIsGivenUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		var silent atomic.Bool
		dials := make(chan time.Time, 10)
		client := open(t, e.ConnectString(), session.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials <- time.Now()
			conn, err := e.Host("a").Dial(ctx, network, address)
			return &swallowing{Conn: conn, silent: &silent, late: 50 * time.Millisecond}, err
		}})
		defer client.Close()
		s := established(t, client)
		p, _ := held(t, s)
		<-dials
		silent.Store(true)
		restless := time.NewTicker(5 * time.Millisecond)
		defer restless.Stop()
		var second, third time.Time
		for third.IsZero() {
			select {
			case <-restless.C:
				p.hold.Renew()
			case at := <-dials:
				if second.IsZero() {
					second = at
				} else {
					third = at
				}
			}
		}
		failed := client.Status().Counts.FailedBeats
		silent.Store(false)
		if d := third.Sub(second); d > s.LeaseTime()*3/8 {
			t.Errorf("the second silent server is given up after %v", d)
		}
		if failed != 2 {
			t.Errorf("%d beats have failed; want one on each of two silent servers", failed)
		}
	})
}

// Servers fell silent one after another. They answer again since long, but beats take a sixth of a
// lease. If a server falls silent now, it is still given up within a lease.
func TestASlowEnsembleDoesNotMakeMovesRareForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 4 * time.Second, Latency: time.Millisecond, Logf: func(string, ...any) {}})
		var silent atomic.Bool
		dials := make(chan time.Time, 100)
		client := open(t, e.ConnectString(), session.Config{Timeout: time.Minute, Lease: 4 * time.Second, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials <- time.Now()
			conn, err := e.Host("a").Dial(ctx, network, address)
			return &swallowing{Conn: conn, silent: &silent}, err
		}})
		defer client.Close()
		s := established(t, client)
		D := s.LeaseTime()
		p, _ := held(t, s)
		<-dials
		silent.Store(true)
		for range 5 {
			<-dials
		}
		silent.Store(false)
		e.SetLatency(D/24, 0)
		p.lease(t)
		await.Sleep(3 * time.Minute)
		if p.hold.Lease() == nil {
			t.Fatal("no lease")
		}
		for len(dials) > 0 {
			<-dials
		}
		silent.Store(true)
		begun := time.Now()
		at := <-dials
		silent.Store(false)
		if d := at.Sub(begun); d > D {
			t.Errorf("a silent server is given up after %v, while a lease lasts %v; beats: %+v", d, D, client.Status().Counts)
		}
	})
}
