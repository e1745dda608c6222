package dial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// lookupFunc is that of [net.Resolver.LookupHost].
type lookupFunc func(ctx context.Context, host string) ([]string, error)

// Names knows the addresses of servers. A name that cannot be resolved now keeps the
// addresses that it had. All sessions of a client share it, so that what one has found out
// serves the next.
type Names struct {
	ctx     context.Context // look-ups end with it
	lookup  lookupFunc
	running sync.WaitGroup // look-ups under way

	mu      sync.Mutex // guards what follows
	known   map[string][]string
	pending map[string]bool // one look-up for each server at a time
	changed chan struct{}   // closed and replaced when a look-up ends
}

// lookupFor bounds one look-up. It is not a part of the session timeout: a resolver that asks
// one name server after another takes 5 s for each that does not answer.
const lookupFor = 30 * time.Second

// NewNames returns a Names that knows nothing. Its look-ups end with ctx.
func NewNames(ctx context.Context) *Names { return newNames(ctx, net.DefaultResolver.LookupHost) }

func newNames(ctx context.Context, lookup lookupFunc) *Names {
	return &Names{
		ctx: ctx, lookup: lookup,
		known: map[string][]string{}, pending: map[string]bool{}, changed: make(chan struct{}),
	}
}

// Wait waits for the look-ups that are still under way. Its context must have ended.
func (n *Names) Wait() { n.running.Wait() }

// resolve looks up all names side by side, and returns what is known of each server. It
// waits for every name, but only an eighth of patience once there is an address to offer: a
// lease may be running out. A look-up that takes longer serves the next round.
func (n *Names) resolve(ctx context.Context, servers []string, patience time.Duration, failed func(string, error)) map[string][]string {
	for _, s := range servers {
		n.start(s, failed)
	}
	long := time.NewTimer(patience / 8)
	defer long.Stop()
	for tired := false; ; {
		n.mu.Lock()
		enough, changed := len(n.pending) == 0 || tired && len(n.known) > 0, n.changed
		known := maps.Clone(n.known)
		n.mu.Unlock()
		if enough {
			return known
		}
		select {
		case <-changed:
		case <-long.C:
			tired = true
		case <-ctx.Done():
			return known
		}
	}
}

// start begins a look-up, unless there is nothing to look up or one is under way.
func (n *Names) start(server string, failed func(string, error)) {
	host, port, _ := net.SplitHostPort(server)
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := netip.ParseAddr(host); err == nil { // it may have a zone
		n.known[server] = []string{server}
		return
	}
	if n.pending[server] || n.ctx.Err() != nil {
		return
	}
	n.pending[server] = true
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, lookupFor)
		defer cancel()
		hosts, err := n.lookup(ctx, host)
		if err == nil && len(hosts) == 0 {
			err = errors.New("the name has no address")
		}
		if err != nil {
			failed(server, fmt.Errorf("resolve: %w", err))
		}
		n.ended(server, port, hosts)
	})
}

// ended takes in the result of a look-up.
func (n *Names) ended(server, port string, hosts []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(hosts) > 0 {
		addrs := make([]string, len(hosts))
		for i, h := range hosts {
			addrs[i] = net.JoinHostPort(h, port)
		}
		n.known[server] = addrs
	}
	delete(n.pending, server)
	close(n.changed)
	n.changed = make(chan struct{})
}
