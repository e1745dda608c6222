package watch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	code := m.Run()
	ensemble.CloseShared()
	os.Exit(code)
}

// T is the session timeout of the sessions under test: too long for any re-check to hide a lost
// wake-up within a test's patience unless the test lets the time pass by hand.
const T = 8 * time.Second

// A bed is what a test needs: a session under test that reaches one server through a proxy, and
// an admin's session that reaches the ensemble straight.
type bed struct {
	t      *testing.T
	ctx    context.Context // a hang guard
	server *ensemble.Server
	proxy  *faultproxy.Proxy
	frames *frames
	s      *session.Session
	admin  *session.Session
	path   string // a persistent parent of the test's own
	deaf   *atomic.Int32
}

func newBed(t *testing.T) *bed {
	t.Helper()
	e := ensemble.Shared(t, ensemble.Config{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, server: e.Servers()[0], deaf: new(atomic.Int32)}
	var err error
	if b.proxy, err = faultproxy.New(b.server.Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.proxy.Close)
	b.frames = &frames{changed: make(chan struct{})}
	b.proxy.OnFrame(b.frames.add)
	b.admin = b.open(e.ConnectString(), session.Config{})
	b.path, err = b.admin.Create(ctx, "/watch-", nil, zk.FlagSequence, nil)
	b.must(err)
	// The session under test has a chroot, so that watches and events meet one.
	b.s = b.open(b.proxy.Addr()+b.path, session.Config{Timeout: T, Dial: b.dial})
	b.must(b.s.Sync(ctx, "/"))
	return b
}

func (b *bed) open(connect string, cfg session.Config) *session.Session {
	b.t.Helper()
	if os.Getenv("WATCH_DEBUG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := session.Open(connect, cfg)
	b.must(err)
	b.t.Cleanup(func() { c.Close() })
	s, err := c.Session(b.ctx)
	b.must(err)
	return s
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// create, set and remove are what the admin does, at a path as the session under test sees it.
func (b *bed) create(path string) {
	b.t.Helper()
	_, err := b.admin.Create(b.ctx, b.path+path, []byte("0"), 0, nil)
	b.must(err)
}

func (b *bed) set(path, data string) {
	b.t.Helper()
	_, err := b.admin.Set(b.ctx, b.path+path, []byte(data), -1)
	b.must(err)
}

func (b *bed) remove(path string) {
	b.t.Helper()
	b.must(b.admin.Delete(b.ctx, b.path+path, -1))
}

// caughtUp lets the server of the session under test catch up with the ensemble.
func (b *bed) caughtUp() {
	b.t.Helper()
	b.must(b.s.Sync(b.ctx, "/"))
}

// offline runs f while the session under test is cut off, and lets it come back.
func (b *bed) offline(f func()) {
	b.t.Helper()
	b.proxy.Refuse(true)
	b.proxy.Cut(false)
	b.must(b.proxy.WaitConnections(b.ctx, 0))
	f()
	b.proxy.Refuse(false)
}

// watchers returns how many sessions have left a watch on path at the server of the session
// under test; -1 if one of them has several.
func (b *bed) watchers(path string) int {
	b.t.Helper()
	out, err := b.server.Command(b.ctx, "wchp") // each path, then a line for each session
	b.must(err)
	seen, n, here := map[string]bool{}, 0, false
	for line := range strings.Lines(out) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "/"):
			here = line == b.path+path
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
func (b *bed) total() (n int) {
	b.t.Helper()
	out, err := b.server.Command(b.ctx, "wchs")
	b.must(err)
	_, last, _ := strings.Cut(out, "Total watches:")
	_, err = fmt.Sscan(last, &n)
	b.must(err)
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

func await[V any](b *bed, c <-chan V) (v V) {
	b.t.Helper()
	select {
	case v = <-c:
	case <-b.ctx.Done():
		b.t.Fatal("nothing came within the time")
	}
	return v
}

// frames are what a proxy has read.
type frames struct {
	mu      sync.Mutex // guards the rest
	all     []faultproxy.Frame
	changed chan struct{} // closed and replaced with every frame
}

func (f *frames) add(frame faultproxy.Frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, frame)
	close(f.changed)
	f.changed = make(chan struct{})
}

// count returns how many frames of op there have been in a direction, and a channel that is closed
// when there is another frame.
func (f *frames) count(dir faultproxy.Dir, op faultproxy.Op) (n int, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, frame := range f.all {
		if frame.Dir == dir && frame.Op == op {
			n++
		}
	}
	return n, f.changed
}

// passed waits until n frames of op have passed in a direction.
func (b *bed) passed(dir faultproxy.Dir, op faultproxy.Op, n int) {
	b.t.Helper()
	for {
		have, more := b.frames.count(dir, op)
		if have >= n {
			return
		}
		await(b, more)
	}
}

func (b *bed) requests(op faultproxy.Op) int {
	n, _ := b.frames.count(faultproxy.ToServer, op)
	return n
}

// dial connects to the proxy with ears that deaf can close: while it is positive that many watch
// events get lost, and nothing else.
func (b *bed) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &ears{Conn: conn, deaf: b.deaf}, nil
}

type ears struct {
	net.Conn
	deaf *atomic.Int32
	rest []byte
}

func (e *ears) Read(p []byte) (int, error) {
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
		if event && e.deaf.Load() > 0 {
			e.deaf.Add(-1)
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
