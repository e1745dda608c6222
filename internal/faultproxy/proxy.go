package faultproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/zkrecipe/zkrecipe/internal/loopback"
)

// Proxy listens on loopback and forwards to one server. Its methods may be called from any
// goroutine.
type Proxy struct {
	addr string
	ctx  context.Context // ends with Close: for dialling
	stop context.CancelFunc
	up   DialFunc       // to the server
	pipe bool           // listens in memory
	wg   sync.WaitGroup // the acceptor and one goroutine per connection

	mu       sync.Mutex // guards what follows; nothing that can block is called under it
	target   string
	listener net.Listener // nil while not listening
	refuse   bool
	silent   bool
	raw      bool
	closed   bool
	nextID   int
	conns    map[*conn]bool // the value tells whether the client's side is still open
	links    map[Dir]*link
	faults   []*Fault      // armed, oldest first
	changed  chan struct{} // closed and replaced when links or conns change
	counts   Counts
	onFrame  func(Frame)
}

// New starts a proxy on a free loopback port in front of the server at target (host:port), which
// need not be up yet.
func New(target string) (*Proxy, error) {
	p := newProxy(target)
	if err := p.Listen(); err != nil {
		p.stop()
		return nil, err
	}
	p.addr = p.listener.Addr().String()
	return p, nil
}

func newProxy(target string) *Proxy {
	ctx, stop := context.WithCancel(context.Background())
	return &Proxy{
		ctx: ctx, stop: stop, up: new(net.Dialer).DialContext, addr: net.JoinHostPort(loopback.Host(), "0"), target: target,
		conns:   make(map[*conn]bool),
		links:   map[Dir]*link{ToServer: {}, ToClient: {}},
		changed: make(chan struct{}),
		counts:  newCounts(),
	}
}

// Addr returns the host:port that clients are given. It stays the same through Unlisten and Listen.
func (p *Proxy) Addr() string { return p.addr }

// SetTarget changes the server that later connections go to.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Refuse, while on, closes new connections at once.
func (p *Proxy) Refuse(on bool) {
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Silent, while on, accepts new connections and never answers on them; they do not reach the
// server, and stay silent when it is off again, until Cut.
func (p *Proxy) Silent(on bool) {
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = on
}

// Raw makes the proxy pass on what later connections carry as raw bytes, for servers whose protocol
// is not ZooKeeper's. Faults of requests do not strike there.
func (p *Proxy) Raw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raw = true
}

// Unlisten closes the listener: new connections are refused by the kernel, present ones live on.
// Listen undoes it.
func (p *Proxy) Unlisten() {
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Listen opens the listener again, on the same address; nil if it is open.
func (p *Proxy) Listen() error {
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if p.listener != nil {
		return nil
	}
	l, err := p.socket()
	if err != nil {
		return fmt.Errorf("faultproxy: %w", err)
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
	return nil
}

// Cut closes all connections, on both sides. With reset the clients see a reset instead of an
// orderly end.
func (p *Proxy) Cut(reset bool) {
	defer p.noise()
	for _, c := range p.snapshot() {
		c.shut(reset)
	}
}

// Connections returns how many connections clients have open.
func (p *Proxy) Connections() int {
	n, _ := p.open()
	return n
}

// WaitConnections waits until clients have exactly n connections open.
func (p *Proxy) WaitConnections(ctx context.Context, n int) error {
	for {
		have, changed := p.open()
		if have == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("faultproxy: %d connections, want %d: %w", have, n, context.Cause(ctx))
		}
	}
}

// Close stops listening, cuts all connections and waits for every goroutine of the proxy. Calling
// it again does nothing.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.Unlisten()
	p.Cut(false)
	p.wg.Wait()
}

func (p *Proxy) snapshot() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	return all
}

func (p *Proxy) open() (int, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, clientOpen := range p.conns {
		if clientOpen {
			n++
		}
	}
	return n, p.changed
}

// announce wakes all who wait for a change. The caller holds mu.
func (p *Proxy) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// accept runs until its listener is closed.
func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve carries one client connection to its end.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	p.counts.Connections++
	refuse, silent, raw, target := p.refuse, p.silent, p.raw, p.target
	p.mu.Unlock()
	if refuse {
		return
	}
	server, err := p.dial(target, silent)
	if err != nil {
		return
	}
	c := newConn(p, client, server)
	c.raw = raw
	defer c.shut(false)
	if !p.add(c) {
		return
	}
	defer p.remove(c)
	c.run()
}

// dial reaches the server, or for a silent connection one that swallows everything.
func (p *Proxy) dial(target string, silent bool) (net.Conn, error) {
	if !silent {
		return p.up(p.ctx, "tcp", target)
	}
	near, far := net.Pipe()
	p.wg.Go(func() {
		defer far.Close()
		_, _ = io.Copy(io.Discard, far) // until the connection is shut
	})
	return near, nil
}

func (p *Proxy) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.nextID++
	c.id = p.nextID
	p.conns[c] = true
	p.announce()
	return true
}

func (p *Proxy) clientGone(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c] {
		p.conns[c] = false
		p.announce()
	}
}

func (p *Proxy) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	p.announce()
}
