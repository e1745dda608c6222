// Package stage has what tests of recipes share: three simulated servers in the time of a
// testing/synctest bubble, clients on hosts of their own, and an administrator. OnBoth runs a test
// there and on real servers.
package stage

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

const (
	// Tick is the servers' unit of time.
	Tick = 2 * time.Second
	// T is the session timeout, the shortest that a server grants.
	T = 2 * Tick
	// D is the lease.
	D = T / 2
	// Patience bounds every wait. In a bubble it costs nothing.
	Patience = await.Bound
)

// Stage is three simulated servers.
type Stage struct {
	*zktest.Ensemble
	T       *testing.T
	Config  session.Config            // of the clients that Client opens
	Trap    Trap                      // sees each request, unless the test has an OnRequest of its own
	Commits await.List[zktest.Commit] // all, unless the test has an OnCommit of its own
}

// On runs a test in a bubble. If cfg does not say otherwise, there are three servers in memory,
// with a latency of one millisecond and without a log.
func On(t *testing.T, cfg zktest.Config, test func(s *Stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.InMemory = true
		cfg.Servers = cmp.Or(cfg.Servers, 3)
		cfg.Tick = cmp.Or(cfg.Tick, Tick)
		cfg.Latency = cmp.Or(cfg.Latency, time.Millisecond)
		cfg.Seed = cmp.Or(cfg.Seed, 1)
		if cfg.Logf == nil {
			cfg.Logf = func(string, ...any) {}
		}
		s := &Stage{T: t}
		if cfg.OnRequest == nil {
			cfg.OnRequest = s.Trap.Requested
		}
		if cfg.OnCommit == nil {
			cfg.OnCommit = s.Commits.Add
		}
		s.Ensemble = zktest.Start(t, cfg)
		test(s)
	})
}

// Client opens a client on the named host. It connects to the named servers, or to all if none are
// named.
func (s *Stage) Client(host string, servers ...string) *session.Client {
	s.T.Helper()
	return s.Open(host, s.Config, servers...)
}

// Open is Client with another configuration. It sets Timeout, Dial and Logger where cfg does not.
// When the test ends, the host is healed and the client closed.
func (s *Stage) Open(host string, cfg session.Config, servers ...string) *session.Client {
	s.T.Helper()
	cfg.Timeout = cmp.Or(cfg.Timeout, T)
	cfg.Logger = cmp.Or(cfg.Logger, Logger(host))
	if cfg.Dial == nil {
		cfg.Dial = s.Host(host).Dial
	}
	c := Open(s.T, cmp.Or(strings.Join(servers, ","), s.ConnectString()), cfg)
	s.T.Cleanup(s.Host(host).Heal) // before it is closed
	return c
}

// Open opens a client of any servers. It is closed when the test ends.
func Open(t testing.TB, connect string, cfg session.Config) *session.Client {
	t.Helper()
	c, err := session.Open(connect, cfg)
	Must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// Logger writes to stderr when tests are run with ZKRECIPE_LOG set.
func Logger(name string) *slog.Logger {
	if os.Getenv("ZKRECIPE_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("who", name)
}

// Admin is the session of an administrator at the leader. Its timeout is longer than the outages of
// tests.
func (s *Stage) Admin() *session.Session {
	s.T.Helper()
	return s.Session(s.Open("admin", session.Config{Timeout: 20 * Tick, Lease: D}, s.Leader().Addr()))
}

// Session waits for the client's session.
func (s *Stage) Session(c *session.Client) *session.Session {
	s.T.Helper()
	x, err := c.Session(s.Within(Patience))
	Must(s.T, err)
	return x
}

// Expire ends the sessions of a host, as the ensemble ends sessions that it does not hear from.
func (s *Stage) Expire(host string) {
	for _, c := range s.Conns() {
		if c.Host() == host {
			s.ExpireSession(c.Session())
		}
	}
}

// Below lists the ensemble's znodes below a path.
func (s *Stage) Below(path string) (nodes []zktest.Node) {
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Path, path+"/") {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Within returns a context that ends after d, or with the test.
func (s *Stage) Within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(s.T.Context(), d)
	s.T.Cleanup(cancel)
	return ctx
}

// Eventually waits for a condition that gives no signal.
func (s *Stage) Eventually(what string, ok func() bool) {
	s.T.Helper()
	await.Until(s.T, what, ok)
}

// Begin calls f in the background, for ten minutes of the bubble at most, and sends the value that
// f returns. If f returns an error, the test fails and the channel is closed.
func Begin[V any](s *Stage, who string, f func(context.Context) (V, error)) <-chan V {
	got := make(chan V, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		v, err := f(ctx)
		if err != nil {
			s.T.Errorf("%s: %v", who, err)
			close(got)
			return
		}
		got <- v
	}()
	return got
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
