package barrier_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
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
	*shared.Stage
	cfg  session.Config // of all clients
	trap shared.Trap

	mu      sync.Mutex // guards what follows
	commits []zktest.Commit
}

const (
	dir       = "/b"
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
	patience  = shared.Patience
)

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	s := &stage{}
	shared.On(t, zktest.Config{Seed: seed, OnCommit: s.committed, OnRequest: s.trap.Requested}, func(x *shared.Stage) {
		s.Stage = x
		f(x.T, s)
	})
}

func (s *stage) committed(c zktest.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits = append(s.commits, c)
}

func (s *stage) client(host string, servers ...string) *session.Client {
	s.T.Helper()
	return s.Client(host, s.cfg, servers...)
}

// listed lists the znodes of the barrier as the ensemble has them.
func (s *stage) listed() []zktest.Node { return s.Below(dir) }

func sessionOf(t *testing.T, c *session.Client) *session.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	x, err := c.Session(ctx)
	must(t, err)
	return x
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
