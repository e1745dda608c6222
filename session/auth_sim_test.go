package session_test

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// failsAt is a connection whose n-th write and all later ones fail.
type failsAt struct {
	net.Conn
	n      int32
	writes atomic.Int32
}

func (f *failsAt) Write(p []byte) (int, error) {
	if f.writes.Add(1) >= f.n {
		return 0, syscall.EPIPE
	}
	return f.Conn.Write(p)
}

// A connection may break while the credentials are presented on it, right after the connect
// response. It is given up like any other, however often that happens.
func TestAConnectionThatBreaksDuringCredentialsIsGivenUp(t *testing.T) {
	for n := int32(1); n <= 4; n++ { // the connect request, the credential, what comes after it
		synctest.Test(t, func(t *testing.T) {
			e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Latency: time.Millisecond,
				Logf: func(string, ...any) {}})
			host := e.Host("a")
			var bad atomic.Int32 // how many of the next connections fail
			client := open(t, e.ConnectString(), session.Config{Timeout: simT, Auth: []session.Auth{session.Digest("u", "secret")},
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := host.Dial(ctx, network, address)
					if err == nil && bad.Add(-1) >= 0 {
						conn = &failsAt{Conn: conn, n: n}
					}
					return conn, err
				}})
			s := established(t, client)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			must(t, s.EnsurePath(ctx, "/own", nil))
			for range 20 {
				bad.Store(1)
				host.Cut()
				await.Sleep(simT / 2)
				if _, _, err := s.Get(ctx, "/own"); err != nil {
					t.Fatalf("write %d failed: %v", n, err)
				}
			}
			// And many times in a row, in which the session may be lost.
			bad.Store(20)
			host.Cut()
			for bad.Load() > 0 {
				await.Sleep(simT)
			}
			if _, _, err := established(t, client).Get(ctx, "/own"); err != nil {
				t.Fatalf("write %d failed many times: %v", n, err)
			}
			client.Close()
		})
	}
}
