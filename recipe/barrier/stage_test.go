package barrier_test

import (
	"cmp"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	ensemble.CloseShared()
	os.Exit(code)
}

// A stage is three simulated servers in the time of a bubble, with one barrier.
type stage struct {
	*zktest.Ensemble
	t   *testing.T
	cfg session.Config // of all clients; Timeout is stageT if it is not set

	mu      sync.Mutex // guards what follows
	commits []zktest.Commit
	trapped func(zktest.Request)
}

const (
	dir       = "/b"
	stageTick = 2 * time.Second
	stageT    = 2 * stageTick // the least that a server grants
	stageD    = stageT / 2
	patience  = time.Minute
)

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t}
		s.Ensemble = zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: stageTick, Latency: time.Millisecond,
			Seed: seed, Logf: func(string, ...any) {}, OnCommit: s.committed, OnRequest: s.requested})
		f(t, s)
	})
}

func (s *stage) committed(c zktest.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits = append(s.commits, c)
}

// client opens a client on a host of that name, closed at the end.
func (s *stage) client(host string, servers ...string) *session.Client {
	s.t.Helper()
	cfg := s.cfg
	cfg.Timeout, cfg.Dial = cmp.Or(cfg.Timeout, stageT), s.Host(host).Dial
	connect := s.ConnectString()
	if len(servers) > 0 {
		connect = strings.Join(servers, ",")
	}
	c, err := session.Open(connect, cfg)
	must(s.t, err)
	s.t.Cleanup(func() {
		s.Host(host).Heal()
		c.Close()
	})
	return c
}

func (s *stage) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	s.t.Cleanup(cancel)
	return ctx
}

// listed lists the znodes of the barrier as the ensemble has them.
func (s *stage) listed() (nodes []zktest.Node) {
	for _, n := range s.Nodes() {
		if strings.HasPrefix(n.Path, dir+"/") {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// admin is the session of one who looks after the ensemble.
func (s *stage) admin() *session.Session {
	s.t.Helper()
	c, err := session.Open(s.Leader().Addr(), session.Config{Timeout: 20 * stageTick, Lease: stageD, Dial: s.Host("admin").Dial})
	must(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	return sessionOf(s.t, c)
}

func sessionOf(t *testing.T, c *session.Client) *session.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	x, err := c.Session(ctx)
	must(t, err)
	return x
}

// eventually waits in steps of the bubble's time.
func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no %s within a minute", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
