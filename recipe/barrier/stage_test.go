package barrier_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// A stage is three simulated servers in the time of a bubble, with one barrier.
type stage struct{ *shared.Stage }

const (
	dir       = "/b"
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
	patience  = shared.Patience
)

var must = shared.Must

func onStage(t *testing.T, seed int64, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, zktest.Config{Seed: seed}, func(x *shared.Stage) { f(x.T, &stage{x}) })
}

// listed lists the znodes of the barrier as the ensemble has them.
func (s *stage) listed() []zktest.Node { return s.Below(dir) }
