package semaphore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and those who use one semaphore. It
// keeps all permits that were handed out, and looks at them whenever another is.
type stage struct {
	*shared.Stage
	ledger
	servers []string // to which clients connect; all if there are none
}

const (
	stagePath = "/s" // of a stage's semaphore
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
)

// onStage runs f in a bubble, with a semaphore of that size.
func onStage(t *testing.T, size int, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, cfg, func(x *shared.Stage) { f(x.T, &stage{Stage: x, ledger: ledger{size: size}}) })
}

// A process is one process with the semaphore.
type process struct {
	*semaphore.Semaphore
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
	events await.List[semaphore.Event]
}

// process makes a process with the semaphore of the stage.
func (s *stage) process(name string, cfg ...semaphore.Config) *process {
	s.T.Helper()
	p := &process{s: s, name: name, host: s.Host(name), client: s.Client(name, s.servers...)}
	c := append(cfg, semaphore.Config{})[0]
	c.ID, c.OnEvent = name, p.events.Add
	if c.Logger == nil {
		c.Logger = shared.Logger(name)
	}
	var err error
	if p.Semaphore, err = semaphore.New(p.client, stagePath, s.size, c); err != nil {
		s.T.Fatal(err)
	}
	return p
}

func (p *process) count(kind semaphore.EventKind) int {
	return p.events.Count(func(ev semaphore.Event) bool { return ev.Kind == kind })
}

// acquire waits for a permit, for ten minutes of the bubble at most.
func (p *process) acquire() *semaphore.Permit {
	p.s.T.Helper()
	return <-p.begin(1)
}

// begin acquires n permits in the background.
func (p *process) begin(n int) <-chan *semaphore.Permit {
	return shared.Begin(p.s.Stage, p.name, func(ctx context.Context) (*semaphore.Permit, error) {
		permit, err := p.AcquireN(ctx, n)
		if err == nil {
			p.s.check(p.s.T, p.name, permit)
		}
		return permit, err
	})
}

// queue lets a process wait for a permit: it stands in line when queue returns.
func (p *process) queue() <-chan *semaphore.Permit {
	p.s.T.Helper()
	joined := p.count(semaphore.EventJoined)
	got := p.begin(1)
	p.s.Eventually("place in line", func() bool { return p.count(semaphore.EventJoined) > joined })
	return got
}

// below lists the znodes below a directory of the semaphore.
func (s *stage) below(dir string) []zktest.Node { return s.Below(stagePath + "/" + dir) }

// none waits until nobody is left in a directory.
func (s *stage) none(dir string) {
	s.T.Helper()
	s.Eventually("end of all in "+dir, func() bool { return len(s.below(dir)) == 0 })
}

// release gives a permit away.
func (s *stage) release(p *semaphore.Permit) {
	s.T.Helper()
	if p == nil { // begin has said why
		s.T.FailNow()
	}
	if err := p.Release(s.T.Context()); err != nil {
		s.T.Errorf("release: %v", err)
	}
}

// waits reports whether nothing comes out of a channel while all others go on for d.
func waits(got <-chan *semaphore.Permit, d time.Duration) bool {
	select {
	case <-got:
		return false
	case <-time.After(d):
		return true
	}
}

func isA[T error](err error) bool {
	var want T
	return errors.As(err, &want)
}
