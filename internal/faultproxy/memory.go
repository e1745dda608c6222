package faultproxy

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// DialFunc makes a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// NewInMemory starts a proxy without a socket, for a testing/synctest bubble. Its address is that
// of the server, which it reaches by dial. Clients reach it by its own Dial alone. They take a
// reset for an orderly end.
func NewInMemory(target string, dial DialFunc) *Proxy {
	p := newProxy(target)
	p.addr, p.up, p.pipe = target, dial, true
	_ = p.Listen() // fails only after Close
	return p
}

// Dial connects a client with the proxy. The address does not matter.
func (p *Proxy) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if !p.pipe {
		return new(net.Dialer).DialContext(ctx, network, p.addr)
	}
	p.mu.Lock()
	l, _ := p.listener.(*pipes)
	p.mu.Unlock()
	if l == nil {
		return nil, refused(network)
	}
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, refused(network)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func refused(network string) error {
	return &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
}

// socket opens what the proxy listens on.
func (p *Proxy) socket() (net.Listener, error) {
	if !p.pipe {
		return net.Listen("tcp", p.addr)
	}
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, nil
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return nil }
