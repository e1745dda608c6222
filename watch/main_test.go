package watch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// T is the session timeout of the sessions under test: too long for any re-check to hide a lost
// wake-up within a test's patience unless the test lets the time pass by hand.
const T = 8 * time.Second

// A fixture is what a test needs: a session under test that reaches one server through a proxy, and
// an admin's session that reaches the ensemble directly.
type fixture struct {
	t      *testing.T
	ctx    context.Context // a hang guard
	server *ensemble.Server
	proxy  *faultproxy.Proxy
	frames await.List[faultproxy.Frame] // that the proxy has read
	s      *session.Session
	admin  *session.Session
	path   string        // a persistent parent of the test's own
	lose   *atomic.Int32 // how many watch events get lost from now on
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	e := ensemble.Shared(t, ensemble.Config{Servers: 3}) // not Common: tests count the watches of a server
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	x := &fixture{t: t, ctx: ctx, server: e.Servers()[0], lose: new(atomic.Int32)}
	x.proxy = faultproxy.ForTest(t, x.server.Addr())
	x.proxy.OnFrame(x.frames.Add)
	x.admin = x.open(e.ConnectString(), session.Config{})
	var err error
	x.path, err = x.admin.Create(ctx, "/watch-", nil, zk.FlagSequence, nil)
	x.must(err)
	// The session under test has a chroot, so that watches and events meet one.
	x.s = x.open(x.proxy.Addr()+x.path, session.Config{Timeout: T, Dial: x.dial})
	x.must(x.s.Sync(ctx, "/"))
	return x
}

func (x *fixture) open(connect string, cfg session.Config) *session.Session {
	x.t.Helper()
	cfg.Logger = stage.Logger(x.t.Name())
	c, err := session.Open(connect, cfg)
	x.must(err)
	x.t.Cleanup(func() { c.Close() })
	s, err := c.Session(x.ctx)
	x.must(err)
	return s
}

func (x *fixture) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// create, set and remove are what the admin does, at a path as the session under test sees it.
func (x *fixture) create(path string) {
	x.t.Helper()
	_, err := x.admin.Create(x.ctx, x.path+path, []byte("0"), 0, nil)
	x.must(err)
}

func (x *fixture) set(path, data string) {
	x.t.Helper()
	_, err := x.admin.Set(x.ctx, x.path+path, []byte(data), -1)
	x.must(err)
}

func (x *fixture) remove(path string) {
	x.t.Helper()
	x.must(x.admin.Delete(x.ctx, x.path+path, -1))
}

// caughtUp lets the server of the session under test catch up with the ensemble.
func (x *fixture) caughtUp() {
	x.t.Helper()
	x.must(x.s.Sync(x.ctx, "/"))
}

// offline runs f while the session under test is cut off, and lets it come back.
func (x *fixture) offline(f func()) {
	x.t.Helper()
	x.proxy.Refuse(true)
	x.proxy.Cut(false)
	x.must(x.proxy.WaitConnections(x.ctx, 0))
	f()
	x.proxy.Refuse(false)
}

// watchers returns how many sessions have left a watch on path at the server of the session
// under test; -1 if one of them has several.
func (x *fixture) watchers(path string) int {
	x.t.Helper()
	out, err := x.server.Command(x.ctx, "wchp") // each path, then a line for each session
	x.must(err)
	seen, n, here := map[string]bool{}, 0, false
	for line := range strings.Lines(out) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "/"):
			here = line == x.path+path
		case here && seen[line]:
			return -1
		case here && line != "":
			seen[line] = true
			n++
		}
	}
	return n
}

// total returns how many watches there are at the server of the session under test.
func (x *fixture) total() (n int) {
	x.t.Helper()
	out, err := x.server.Command(x.ctx, "wchs")
	x.must(err)
	_, last, _ := strings.Cut(out, "Total watches:")
	_, err = fmt.Sscan(last, &n)
	x.must(err)
	return n
}

// async starts f and returns what it will return.
func async[V any](f func() (V, error)) <-chan answer[V] {
	c := make(chan answer[V], 1)
	go func() { v, err := f(); c <- answer[V]{v, err} }()
	return c
}

type answer[V any] struct {
	v   V
	err error
}

func receive[V any](x *fixture, c <-chan V) (v V) {
	x.t.Helper()
	select {
	case v = <-c:
	case <-x.ctx.Done():
		x.t.Fatal("nothing came within the time")
	}
	return v
}

// frame holds for frames of op in a direction.
func frame(dir faultproxy.Dir, op faultproxy.Op) func(faultproxy.Frame) bool {
	return func(f faultproxy.Frame) bool { return f.Dir == dir && f.Op == op }
}

// passed waits until n frames of op have passed in a direction.
func (x *fixture) passed(dir faultproxy.Dir, op faultproxy.Op, n int) {
	x.t.Helper()
	if n > 0 {
		x.frames.Next(x.t, fmt.Sprintf("frame %d of %v %v", n, op, dir), 0, n, frame(dir, op))
	}
}

func (x *fixture) requests(op faultproxy.Op) int {
	return x.frames.Count(frame(faultproxy.ToServer, op))
}

func (x *fixture) events() int { return x.frames.Count(frame(faultproxy.ToClient, faultproxy.OpEvent)) }

// dial connects to the proxy. As many watch events as lose says get lost, and nothing else.
func (x *fixture) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossy{Conn: conn, lose: x.lose}, nil
}

type lossy struct {
	net.Conn
	lose *atomic.Int32
	rest []byte
}

func (e *lossy) Read(p []byte) (int, error) {
	for len(e.rest) == 0 {
		var length [4]byte
		if _, err := io.ReadFull(e.Conn, length[:]); err != nil {
			return 0, err
		}
		frame := make([]byte, 4+binary.BigEndian.Uint32(length[:]))
		copy(frame, length[:])
		if _, err := io.ReadFull(e.Conn, frame[4:]); err != nil {
			return 0, err
		}
		event := int32(binary.BigEndian.Uint32(frame[4:])) == -1
		if event && e.lose.Load() > 0 {
			e.lose.Add(-1)
			continue
		}
		e.rest = frame
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// A handClock stands still until somebody moves it.
type handClock struct {
	mu     sync.Mutex // guards the rest
	now    int64
	timers map[*handTimer]bool
	set    chan time.Duration // each timer as it is set
}

type handTimer struct {
	at int64
	f  func()
}

func newHandClock() *handClock {
	return &handClock{timers: map[*handTimer]bool{}, set: make(chan time.Duration, 100)}
}

func (c *handClock) Now() clock.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clock.Instant{Mono: c.now, Boot: c.now}
}
func (c *handClock) Wall() time.Time { return time.Now() }
func (c *handClock) Random() float64 { return 0 }
func (c *handClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &handTimer{c.now + int64(d), f}
	c.timers[t] = true
	c.set <- d
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := c.timers[t]
		delete(c.timers, t)
		return was
	}
}

// pass lets d go by and fires what is due.
func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += int64(d)
	for t := range c.timers {
		if t.at <= c.now {
			delete(c.timers, t)
			go t.f()
		}
	}
}
