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

	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// lookupFunc is the type of [net.Resolver.LookupHost].
type lookupFunc func(ctx context.Context, host string) ([]string, error)

// Names knows the addresses of servers. A name that cannot be resolved now keeps the addresses that
// it had. All sessions of a client share a Names, so that the next session can use the results of
// the one before.
type Names struct {
	ctx     context.Context // look-ups end with it
	lookup  lookupFunc
	running sync.WaitGroup // look-ups under way

	mu      sync.Mutex // guards what follows
	known   map[string][]string
	wrong   map[string]error     // why the last look-up has failed, by server
	pending map[string]time.Time // when a look-up began: one for each server at a time
	changed notify.Change        // tells that a look-up has ended
}

// lookupFor bounds one look-up. It does not depend on the session timeout: a resolver that asks one
// name server after another waits 5 s for each that does not answer.
const lookupFor = 30 * time.Second

// lateAfter is how long a round waits at most for a look-up. After that, the log and the status say
// that there is no answer, and the look-up goes on.
const lateAfter = 3 * time.Second

// NewNames returns a Names that knows nothing. Its look-ups end with ctx.
func NewNames(ctx context.Context) *Names { return newNames(ctx, net.DefaultResolver.LookupHost) }

func newNames(ctx context.Context, lookup lookupFunc) *Names {
	return &Names{
		ctx: ctx, lookup: lookup,
		known: map[string][]string{}, wrong: map[string]error{}, pending: map[string]time.Time{},
	}
}

// Wait waits for the look-ups that are still under way. Its context must have ended.
func (n *Names) Wait() { n.running.Wait() }

// resolve looks up all names at the same time. It returns the known addresses of each server, and
// why names are not resolved now. It waits for each look-up until that is late. If it can return an
// address, it waits only for an eighth of patience in all: a lease may soon be over. A later round
// uses the result of a look-up that takes longer.
func (n *Names) resolve(ctx context.Context, servers []string, patience time.Duration) (known map[string][]string, wrong map[string]error) {
	for _, s := range servers {
		n.start(s)
	}
	long, late := time.NewTimer(patience/8), time.NewTimer(lateAfter)
	defer long.Stop()
	defer late.Stop()
	for waited := false; ; {
		n.mu.Lock()
		known, wrong = maps.Clone(n.known), maps.Clone(n.wrong)
		awaited, changed := n.late(wrong), n.changed.Next()
		n.mu.Unlock()
		if !awaited || waited && len(known) > 0 {
			return known, wrong
		}
		select {
		case <-changed:
		case <-long.C:
			waited = true
		case <-late.C:
		case <-ctx.Done():
			return known, wrong
		}
	}
}

// late notes in wrong which look-ups are late, and reports whether another look-up is under way.
// The caller holds n.mu.
func (n *Names) late(wrong map[string]error) (awaited bool) {
	for server, begun := range n.pending {
		age := time.Since(begun)
		if age < lateAfter {
			awaited = true
			continue
		}
		host, _, _ := net.SplitHostPort(server)
		wrong[server] = fmt.Errorf("resolve: lookup %s: no answer from a name server for %v", host, age.Round(time.Second))
	}
	return awaited
}

// start begins a look-up, unless the host is an address or a look-up for this server is under way.
func (n *Names) start(server string) {
	host, port, _ := net.SplitHostPort(server)
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := netip.ParseAddr(host); err == nil { // it may have a zone
		n.known[server] = []string{server}
		return
	}
	if !n.pending[server].IsZero() || n.ctx.Err() != nil {
		return
	}
	n.pending[server] = time.Now()
	n.running.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, lookupFor)
		defer cancel()
		hosts, err := n.lookup(ctx, host)
		if err == nil && len(hosts) == 0 {
			err = errors.New("the name has no address")
		}
		n.ended(server, port, hosts, err)
	})
}

// ended handles the result of a look-up.
func (n *Names) ended(server, port string, hosts []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.wrong[server] = fmt.Errorf("resolve: %w", err)
	} else {
		addrs := make([]string, len(hosts))
		for i, h := range hosts {
			addrs[i] = net.JoinHostPort(h, port)
		}
		n.known[server] = addrs
		delete(n.wrong, server)
	}
	delete(n.pending, server)
	n.changed.Tell()
}
