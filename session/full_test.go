package session_test

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// full is a connection that, from some time on and until it is closed, accepts only pings. So the
// first write that it does not accept is a beat.
type full struct {
	net.Conn
	now    atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *full) Write(p []byte) (int, error) {
	ping := len(p) >= 8 && int32(binary.BigEndian.Uint32(p[4:])) == -2 // the xid after the length
	if c.now.Load() && !ping {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *full) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A write to a connection of Config.Dial may hang. The beat whose write hangs does not prevent the
// session from moving to another server. This test is not in a bubble: the bubble's time would
// stop, because other writers wait with a mutex.
func TestAConnectionThatTakesNoBytesIsGivenUp(t *testing.T) {
	e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: 500 * time.Millisecond, Logf: func(string, ...any) {}})
	dialed := make(chan *full, 10)
	client := open(t, e.ConnectString(), session.Config{Timeout: steady, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := e.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &full{Conn: conn, closed: make(chan struct{})}
		dialed <- c
		return c, nil
	}})
	s := established(t, client)
	held(t, s)
	(<-dialed).now.Store(true)
	begun, reconnects := time.Now(), func() uint64 { return client.Status().Counts.Reconnects }
	await.Until(t, "another connection", func() bool { return reconnects() > 0 || time.Since(begun) > steady })
	if reconnects() == 0 || s.Err() != nil {
		t.Errorf("%d reconnects within a session timeout, and the session's end is %v", reconnects(), s.Err())
	}
}
