package dial

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"
)

// lookupFunc is that of [net.Resolver.LookupHost].
type lookupFunc func(ctx context.Context, host string) ([]string, error)

// names knows the addresses of servers. A name that cannot be resolved now keeps the
// addresses that it had.
type names struct {
	lookup lookupFunc
	failed func(server string, err error)

	running sync.WaitGroup // look-ups under way

	mu      sync.Mutex // guards what follows
	known   map[string][]string
	pending map[string]bool // one look-up for each server at a time
	changed chan struct{}   // closed and replaced when a look-up ends
}

func newNames(lookup lookupFunc, failed func(string, error)) *names {
	return &names{
		lookup: lookup, failed: failed,
		known: map[string][]string{}, pending: map[string]bool{}, changed: make(chan struct{}),
	}
}

// resolve looks up all names side by side, each for at most the patience given, and
// returns what is known of each server. It waits for every name, but not for long once
// there is an address to offer: a lease may be running out. A look-up that takes longer
// serves the next round.
func (n *names) resolve(ctx context.Context, servers []string, patience time.Duration) map[string][]string {
	for _, s := range servers {
		n.start(ctx, s, patience)
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
func (n *names) start(ctx context.Context, server string, patience time.Duration) {
	host, port, _ := net.SplitHostPort(server)
	n.mu.Lock()
	defer n.mu.Unlock()
	if net.ParseIP(host) != nil {
		n.known[server] = []string{server}
		return
	}
	if n.pending[server] {
		return
	}
	n.pending[server] = true
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		hosts, err := n.lookup(ctx, host)
		if err != nil {
			n.failed(server, fmt.Errorf("resolve: %w", err))
		}
		n.ended(server, port, hosts)
	})
}

// ended takes in the result of a look-up.
func (n *names) ended(server, port string, hosts []string) {
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
