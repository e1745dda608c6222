package watch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
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
	t       *testing.T
	ctx     context.Context // a hang guard
	servers stage.Servers
	proxy   *faultproxy.Proxy            // before the first server
	frames  await.List[faultproxy.Frame] // that the proxy has read
	s       *session.Session
	admin   *session.Session
	path    string        // a persistent parent of the test's own
	lose    *atomic.Int32 // how many watch events get lost from now on
}

// onBoth runs a test on simulated servers and on real ones.
func onBoth(t *testing.T, test func(t *testing.T, x *fixture)) {
	t.Helper()
	three := func(tb ensemble.TB) *ensemble.Ensemble { // not Common: tests count the watches of a server
		return ensemble.Shared(tb, ensemble.Config{Servers: 3})
	}
	stage.OnBoth(t, three, func(t *testing.T, servers stage.Servers) { test(t, newFixture(t, servers)) })
}

func newFixture(t *testing.T, servers stage.Servers) *fixture {
	t.Helper()
	x := &fixture{t: t, ctx: await.Context(t), servers: servers, lose: new(atomic.Int32)}
	x.proxy = stage.Proxies(t, servers)[0]
	x.proxy.OnFrame(x.frames.Add)
	x.admin = x.open(servers.ConnectString(), session.Config{Dial: servers.Dial})
	var err error
	x.path, err = x.admin.Create(x.ctx, "/watch-", nil, zk.FlagSequence, nil)
	x.must(err)
	// The session under test has a chroot, so that watches and events meet one.
	x.s = x.open(x.proxy.Addr()+x.path, session.Config{Timeout: T, Dial: x.dial})
	x.caughtUp()
	return x
}

func (x *fixture) open(connect string, cfg session.Config) *session.Session {
	x.t.Helper()
	cfg.Logger = stage.Logger(x.t.Name())
	s, err := stage.Open(x.t, connect, cfg).Session(x.ctx)
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
	_, err := x.s.QuorumSync(x.ctx, "/")
	x.must(err)
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

// watchers returns how many sessions have left a watch on path at the server of the session under
// test; -1 if one of them has several.
func (x *fixture) watchers(path string) int {
	x.t.Helper()
	if sim, is := x.servers.(*stage.Stage); is {
		return len(simulated(sim, x.path+path))
	}
	seen, n, here := map[string]bool{}, 0, false
	for line := range strings.Lines(x.command("wchp")) { // each path, then a line for each session
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
	if sim, is := x.servers.(*stage.Stage); is {
		return len(simulated(sim, ""))
	}
	_, last, _ := strings.Cut(x.command("wchs"), "Total watches:")
	_, err := fmt.Sscan(last, &n)
	x.must(err)
	return n
}

// simulated lists the watches at the first server: all, or those on path. Like a real server it
// leaves out those on lists.
func simulated(s *stage.Stage, path string) []zktest.Watch {
	return slices.DeleteFunc(s.Watches(), func(w zktest.Watch) bool {
		return w.Server != 1 || w.Child || path != "" && w.Path != path
	})
}

// command asks the first of real servers.
func (x *fixture) command(word string) string {
	x.t.Helper()
	answer, err := x.servers.(*ensemble.Ensemble).Servers()[0].Command(x.ctx, word)
	x.must(err)
	return answer
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
	conn, err := x.proxy.Dial(ctx, network, addr)
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
