// Package cable lets an example cut a client off, as if its process had been killed.
package cable

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/session"
)

// Cable is a network that can be cut.
type Cable struct {
	mu    sync.Mutex // guards what follows
	down  bool
	conns []net.Conn
}

var errCut = errors.New("the cable is cut")

// Client opens a client of a program, whose connections go through the cable.
func (c *Cable) Client(p *example.Program) (*session.Client, error) {
	cfg := p.Session
	cfg.Dial = c.dial
	return session.Open(p.Connect, cfg)
}

func (c *Cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case c.down:
		conn.Close()
		return nil, errCut
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

// Mend lets connections be made again.
func (c *Cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}

// Cut breaks all connections, and lets no more be made.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	for _, conn := range c.conns {
		conn.Close()
	}
}
