package session_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// full is a connection that takes no bytes, from some time on and until it is closed.
type full struct {
	net.Conn
	now    atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *full) Write(p []byte) (int, error) {
	if c.now.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *full) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A connection of Config.Dial may take no bytes. The beat that finds that out does not keep the session from
// moving to another server. This test is not in a bubble: its time
// would stand still, because other writers wait with a mutex.
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
	await.Until(t, "another connection", func() bool {
		return client.Status().Counts.Reconnects > 0 || s.Err() != nil
	})
	if err := s.Err(); err != nil {
		t.Errorf("the session is over: %v", err)
	}
}
