package value_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	ensemble.CloseShared()
	os.Exit(code)
}

// A stage is three simulated servers in the time of a bubble.
type stage struct {
	*zktest.Ensemble
	t *testing.T
}

const (
	stageT    = 4 * time.Second // of sessions: two ticks
	path      = "/app/count"    // of what is changed
	journals  = "/zkrecipe/journals/*"
	longStage = 2 * time.Minute // bounds every wait in a bubble
)

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: stageT / 2, Latency: time.Millisecond,
			Jitter: time.Millisecond, Seed: seed, Logf: func(string, ...any) {}})
		f(t, &stage{e, t})
	})
}

// client opens a client on a host of that name. It is closed when the test ends.
func (s *stage) client(host string) *session.Client {
	s.t.Helper()
	client, err := session.Open(s.ConnectString(), session.Config{Timeout: stageT, Dial: s.Host(host).Dial})
	must(s.t, err)
	s.t.Cleanup(func() { client.Close() })
	return client
}

func (s *stage) counter(host string, cfg value.CounterConfig) *value.Counter {
	s.t.Helper()
	n, err := value.NewCounter(s.client(host), path, cfg)
	must(s.t, err)
	return n
}

func (s *stage) value(host string, cfg value.Config) *value.Value {
	s.t.Helper()
	v, err := value.New(s.client(host), path, cfg)
	must(s.t, err)
	return v
}

// within bounds a wait.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), longStage)
	t.Cleanup(cancel)
	return ctx
}

// data returns what the newest server has at path.
func (s *stage) data() string {
	for _, n := range s.Nodes() {
		if n.Path == path {
			return string(n.Data)
		}
	}
	return "missing"
}

// put writes the data of the path, which it creates, by a client of its own.
func (s *stage) put(data string) {
	s.t.Helper()
	sess := s.session("put")
	must(s.t, sess.EnsurePath(within(s.t), path, nil))
	_, err := sess.Set(within(s.t), path, []byte(data), -1)
	must(s.t, err)
}

func (s *stage) session(host string) *session.Session {
	s.t.Helper()
	sess, err := s.client(host).Session(within(s.t))
	must(s.t, err)
	return sess
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isUnknown(err error) bool {
	var u *value.UnknownError
	return errors.As(err, &u)
}

func conflict(err error) *value.ConflictError {
	var c *value.ConflictError
	errors.As(err, &c)
	return c
}

func cancelled(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(within(t))
}
