package session_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// steady is a session timeout, and leased a lease. They are so long that no session loses them
// because the machine is busy for some seconds.
const steady, leased = 20 * time.Second, 8 * time.Second

// hang is how long a test waits for something that should happen much sooner.
const hang = await.Bound

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// three returns the ensemble that the tests of this package share. T may be 1 s to 1 min.
func three(t ensemble.TB) *ensemble.Ensemble {
	return ensemble.Shared(t, ensemble.Config{Servers: 3, MaxSessionTimeout: time.Minute})
}

// A cluster is three servers with a proxy before each, and a log.
type cluster struct {
	stage.Servers
	t       testing.TB
	proxies faultproxy.Proxies
	log     *logbook
	chroot  string
}

// onBoth runs a test on three simulated servers, and on the real servers of three.
func onBoth(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Helper()
	stage.OnBoth(t, three, func(t *testing.T, servers stage.Servers) { test(t, proxied(t, servers)) })
}

func proxied(t testing.TB, servers stage.Servers) *cluster {
	return &cluster{Servers: servers, t: t, proxies: stage.Proxies(t, servers), log: newLogbook(t), chroot: stage.Path(t)}
}

// connect is the connect string of the proxies, with a chroot of the test's own.
func (c *cluster) connect() string { return c.proxies.ConnectString() + c.chroot }

// open opens a client through the proxies.
func (c *cluster) open(cfg session.Config) *session.Client {
	c.t.Helper()
	cfg.Logger = slog.New(c.log)
	if cfg.Dial == nil {
		cfg.Dial = c.proxies.Dial
	}
	return open(c.t, c.connect(), cfg)
}

func (c *cluster) all(f func(*faultproxy.Proxy)) { c.proxies.Each(f) }

// at returns the proxy through which a client is connected.
func (c *cluster) at(client *session.Client) *faultproxy.Proxy {
	c.t.Helper()
	server := client.Status().Server
	i := slices.IndexFunc(c.proxies, func(p *faultproxy.Proxy) bool { return p.Addr() == server })
	if i < 0 {
		c.t.Fatalf("connected to %q, which is no proxy", server)
	}
	return c.proxies[i]
}

// openVia opens a client whose first connection goes to server i.
func (c *cluster) openVia(i int, cfg session.Config) (*session.Client, *session.Session) {
	c.t.Helper()
	for j, p := range c.proxies {
		p.Refuse(i != j)
	}
	client := c.open(cfg)
	s := c.established(client)
	c.all(func(p *faultproxy.Proxy) { p.Refuse(false) })
	return client, s
}

// established returns the first session of a client. It waits until the connection is in the log,
// so that a test that waits for the next one from a mark on does not find the first.
func (c *cluster) established(client *session.Client) *session.Session {
	c.t.Helper()
	s := established(c.t, client)
	c.log.await(0, "session connected")
	return s
}

// reconnect cuts a connection through p, and waits until the client is connected again.
func (c *cluster) reconnect(p *faultproxy.Proxy) {
	c.t.Helper()
	mark := c.log.mark()
	p.Cut(true)
	c.log.await(mark, "session suspended")
	c.log.await(mark, "session connected")
}

// follower returns the number of a real server that follows.
func (c *cluster) follower() int {
	c.t.Helper()
	f, err := c.Servers.(*ensemble.Ensemble).Follower(within(c.t, hang))
	if err != nil {
		c.t.Fatal(err)
	}
	return f.ID() - 1
}

// admin returns a plain connection straight to the servers.
func (c *cluster) admin() *zk.Conn { return stage.RawConn(c.t, c.Servers) }

var open, must = stage.Open, stage.Must

func established(t testing.TB, c *session.Client) *session.Session {
	t.Helper()
	s, err := c.Session(within(t, hang))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func over(t testing.TB, s *session.Session) error {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(hang):
		t.Fatal("the session is not over")
	}
	_ = s.State() // waits until the session has ended the leases, which it does last
	return s.Err()
}

// A logbook is a slog.Handler. A test can wait for its lines, because every transition is logged.
type logbook struct {
	await.List[line]
	t testing.TB
}

type line struct {
	at    time.Time
	level slog.Level
	text  string
}

func newLogbook(t testing.TB) *logbook { return &logbook{t: t} }

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	l.Add(line{r.Time, r.Level, text})
	return nil
}

// mark returns the present end of the log.
func (l *logbook) mark() int { return l.Len() }

// await waits for a line that begins with the text, at the mark from or later.
func (l *logbook) await(from int, text string) line {
	l.t.Helper()
	begins := func(line line) bool { return strings.HasPrefix(line.text, text) }
	return l.Next(l.t, fmt.Sprintf("%q in the log", text), from, 1, begins, func() any { return l })
}

// String returns the whole log.
func (l *logbook) String() string {
	var b strings.Builder
	for _, line := range l.All() {
		fmt.Fprintf(&b, "%s %s\n", line.at.Format("05.000"), line.text)
	}
	return b.String()
}

// sockets is a Config.Dial that counts the connections of a client.
type sockets struct {
	mu   sync.Mutex // guards open
	open int
}

func (s *sockets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.add(1)
	return &socket{Conn: conn, closed: sync.OnceFunc(func() { s.add(-1) })}, nil
}

func (s *sockets) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

func (s *sockets) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

type socket struct {
	net.Conn
	closed func()
}

func (s *socket) Close() error {
	s.closed()
	return s.Conn.Close()
}

// leftovers waits until no goroutine of a session is left and returns the stacks of those that
// stay.
func leftovers() string {
	var found []string
	for end := time.Now().Add(hang); time.Now().Before(end); runtime.Gosched() {
		found = nil
		buf := make([]byte, 1<<20)
		for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "zkrecipe/session.") || strings.Contains(stack, "session/internal/") ||
				strings.Contains(stack, "go-zookeeper/zk.") {
				if !strings.Contains(stack, "testing.tRunner(") {
					found = append(found, stack)
				}
			}
		}
		if found == nil {
			return ""
		}
	}
	return strings.Join(found, "\n\n")
}
