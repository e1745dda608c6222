package zktest_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// bench is an ensemble in memory with raw clients, in a bubble.
type bench struct {
	*trace
	e *zktest.Ensemble
}

// inBubble runs a test on an ensemble in memory with fake time.
func inBubble(t *testing.T, cfg zktest.Config, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.InMemory = true
		e := zktest.Start(t, cfg)
		b := &bench{e: e}
		b.trace = &trace{t: t, sessions: map[int64]string{}, dial: func(server int) (net.Conn, error) {
			return b.dialFrom("", server)
		}}
		test(t, b)
	})
}

func (b *bench) dialFrom(host string, server int) (net.Conn, error) {
	return b.e.Host(host).Dial(context.Background(), "tcp", b.e.Server(server).Addr())
}

// on opens a session from a host, which has the client's name.
func (b *bench) on(name string, server int) *raw {
	b.t.Helper()
	return b.timed(name, server, 4000)
}

func (b *bench) timed(name string, server, timeout int) *raw {
	b.t.Helper()
	c := b.connect(name, server)
	return c.hello("opens a session", 0, timeout, 0, make([]byte, 16), false)
}

func (b *bench) connect(name string, server int) *raw {
	b.t.Helper()
	conn, err := b.dialFrom(name, server)
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	return &raw{tr: b.trace, name: name, conn: conn}
}

// back reconnects a session from the same host.
func (b *bench) back(c *raw, server int) *raw {
	b.t.Helper()
	return b.connect(c.name, server).hello("comes back", 0, c.timeout, c.session, c.password, false)
}

func (tr *trace) last() string { return tr.lines[len(tr.lines)-1] }

// want checks the newest line.
func (tr *trace) want(part string) {
	tr.t.Helper()
	if !strings.Contains(tr.last(), part) {
		tr.t.Errorf("observed %q, want %q in it", tr.last(), part)
	}
}

// keepAlive pings in the background until the connection ends or stop is called, and throws away
// what comes.
func (c *raw) keepAlive(every time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(every):
				c.send(pack(-2, 11))
				if _, err := c.recv(); err != nil {
					return
				}
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// eventually waits for something that comes with time alone.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		<-time.After(within / 1000)
	}
	return time.Since(start)
}

func paths(nodes []zktest.Node) string {
	var list []string
	for _, n := range nodes {
		list = append(list, n.Path)
	}
	return strings.Join(list, " ")
}
