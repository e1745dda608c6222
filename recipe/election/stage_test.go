package election_test

import (
	"context"
	"testing"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A stage is three simulated servers in the time of a bubble, and the candidates of one election.
// It compares the terms.
type stage struct {
	*shared.Stage
	turns shared.Turns[*election.Term]
}

const (
	stagePath = "/e" // of a stage's election
	stageTick = shared.Tick
	stageT    = shared.T
	stageD    = shared.D
	beats     = "/zkrecipe/beats/" // where the heartbeats are
)

// onStage runs f in a bubble. The configuration's Seed matters, and what f asks for.
func onStage(t *testing.T, cfg zktest.Config, f func(t *testing.T, s *stage)) {
	t.Helper()
	shared.On(t, cfg, func(x *shared.Stage) { f(x.T, &stage{Stage: x}) })
}

// stand lets a candidate stand anywhere until its client is closed, and calls lead, or leads until
// it is told to stop.
func (s *stage) stand(client *session.Client, path string, cfg election.Config, lead ...func(context.Context, *election.Term) error) {
	s.T.Helper()
	el, err := election.New(client, path, cfg)
	if err != nil {
		s.T.Fatal(err)
	}
	go el.Run(context.Background(), append(lead, untilTheEnd)[0])
}

// enter starts a candidate that leads until it is told to stop. All servers are known to it, unless
// others are named.
func (s *stage) enter(name string, servers ...string) *candidate {
	s.T.Helper()
	return s.enterWith(name, election.Config{}, untilTheEnd, servers...)
}

func untilTheEnd(ctx context.Context, _ *election.Term) error {
	<-ctx.Done()
	return nil
}

func (s *stage) enterWith(name string, cfg election.Config, lead func(context.Context, *election.Term) error, servers ...string) *candidate {
	s.T.Helper()
	c := start(s.T, s.Client(name, servers...), stagePath, name, cfg, func(term *election.Term) { s.turns.Begin(s.T, name, term, false) }, lead)
	c.host = s.Host(name)
	s.T.Cleanup(func() { // before the ensemble's own end
		c.host.Heal()
		c.stop()
		c.client.Close()
		if err := faultOf(c.events.All()); err != nil {
			s.T.Errorf("%s: %v; events:\n%v", name, err, c.events)
		}
	})
	return c
}

// begun lists the terms that have begun, oldest first.
func (s *stage) begun() []*election.Term { return s.turns.All() }

// leading counts the terms that are valid now.
func (s *stage) leading() (n int) {
	for _, term := range s.begun() {
		if term.Valid() {
			n++
		}
	}
	return n
}

// inLine lists the znodes of the line.
func (s *stage) inLine() []zktest.Node { return s.Below(stagePath) }

// lineUp starts candidates that stand in line in this order, each in its place.
func (s *stage) lineUp(names ...string) (all []*candidate, first *election.Term) {
	s.T.Helper()
	return inTurn(len(names), func(i int) *candidate { return s.enter(names[i]) })
}

// makePath makes the election's path, so that no create finds it missing.
func (s *stage) makePath() {
	s.T.Helper()
	if err := s.Admin().EnsurePath(s.T.Context(), stagePath, zk.WorldACL(zk.PermAll)); err != nil {
		s.T.Fatal(err)
	}
}
