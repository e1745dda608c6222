package session_test

import (
	"context"
	"net"
	"slices"
	"sync"
)

// A wiretap is a Dial that keeps what is sent.
type wiretap struct {
	mu   sync.Mutex
	seen []byte
}

type tapped struct {
	net.Conn
	tap *wiretap
}

func (w *wiretap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return tapped{conn, w}, err
}

func (c tapped) Write(p []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.seen = append(c.tap.seen, p...)
	c.tap.mu.Unlock()
	return c.Conn.Write(p)
}

func (w *wiretap) sent() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}
