package value_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// A stage is three simulated servers in the time of a bubble.
type stage struct{ *shared.Stage }

const (
	stageT   = shared.T
	path     = "/app/count" // of what is changed
	journals = "/zkrecipe/journals/*"
)

var must, within = shared.Must, await.Context

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, zktest.Config{Seed: seed, Jitter: time.Millisecond}, func(x *shared.Stage) { f(x.T, &stage{x}) })
}

func (s *stage) counter(host string, cfg value.CounterConfig) *value.Counter {
	s.T.Helper()
	n, err := value.NewCounter(s.Client(host), path, cfg)
	must(s.T, err)
	return n
}

func (s *stage) value(host string, cfg value.Config) *value.Value {
	s.T.Helper()
	v, err := value.New(s.Client(host), path, cfg)
	must(s.T, err)
	return v
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
	s.T.Helper()
	sess := s.Session(s.Client("put"))
	must(s.T, sess.EnsurePath(within(s.T), path, nil))
	_, err := sess.Set(within(s.T), path, []byte(data), -1)
	must(s.T, err)
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
