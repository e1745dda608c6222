package election_test

import (
	"context"
	"net"
	"sync"
)

// A dialer decides to which server a client goes.
type dialer struct {
	mu       sync.Mutex // guards what follows
	next     string     // takes the place of whatever is dialled next
	only     string     // takes the place of all while set
	from, to string     // a client that dials from is connected to to; after next
	last     net.Conn
	addr     string // where that goes
}

func (p *dialer) set(next, only string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.only = next, only
}

// detour makes the client avoid a server.
func (p *dialer) detour(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from, p.to = from, to
}

// Dial is for session.Config.
func (p *dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	if p.only != "" {
		address = p.only
	} else if address == p.from {
		address = p.to
	}
	if p.next != "" {
		address, p.next = p.next, ""
	}
	p.mu.Unlock()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.last, p.addr = conn, address
	}
	return conn, err
}

// at returns where the latest connection goes.
func (p *dialer) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// tried reports whether the next that was set has been dialled.
func (p *dialer) tried() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next == ""
}

// drop breaks the latest connection.
func (p *dialer) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.Close()
}
