package lock_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and contenders of one lock. It
// compares what is held.
type stage struct {
	*shared.Stage
	turns shared.Turns[*lock.Held]
}

const (
	stagePath = "/l" // of a stage's lock
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
)

// onStage runs f in a bubble.
func onStage(t *testing.T, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, cfg, func(x *shared.Stage) { f(x.T, &stage{Stage: x}) })
}

// A process is one process with a lock.
type process struct {
	*lock.Lock
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
	events await.List[lock.Event]
}

// process makes a process with the lock of the stage.
func (s *stage) process(name string, cfg ...lock.Config) *process {
	s.T.Helper()
	return s.processOf(s.Client(name), name, cfg...)
}

// processOf is process with a client that the test has opened.
func (s *stage) processOf(client *session.Client, name string, cfg ...lock.Config) *process {
	s.T.Helper()
	p := &process{s: s, name: name, host: s.Host(name), client: client}
	c := append(cfg, lock.Config{})[0]
	c.ID, c.Logger, c.OnEvent = name, shared.Logger(name), p.events.Add
	var err error
	if p.Lock, err = lock.New(p.client, stagePath, c); err != nil {
		s.T.Fatal(err)
	}
	return p
}

func (p *process) count(kind lock.EventKind) int {
	return p.events.Count(func(ev lock.Event) bool { return ev.Kind == kind })
}

// acquire waits for the lock, for ten minutes of the bubble at most.
func (p *process) acquire() *lock.Held {
	p.s.T.Helper()
	return <-p.begin()
}

// begin acquires in the background.
func (p *process) begin() <-chan *lock.Held { return p.s.begin(p.name, p.Acquire, false) }

// begin calls acquire in the background, and checks what it returns.
func (s *stage) begin(who string, acquire func(context.Context) (*lock.Held, error), read bool) <-chan *lock.Held {
	return shared.Begin(s.Stage, who, func(ctx context.Context) (*lock.Held, error) {
		h, err := acquire(ctx)
		if err == nil {
			s.turns.Begin(s.T, who, h, read)
		}
		return h, err
	})
}

// inLine lists the znodes of the line.
func (s *stage) inLine() []zktest.Node { return s.Below(stagePath) }

// release releases and wants no error.
func release(t *testing.T, h *lock.Held) {
	t.Helper()
	if h == nil {
		t.Fatal("it was not acquired")
	}
	if err := h.Release(t.Context()); err != nil {
		t.Errorf("Release: %v", err)
	}
}

// want checks the kind of an error.
func want(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v; want %v", err, kind)
	}
}
