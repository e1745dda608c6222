package election_test

import (
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A Proclaim without an answer is carried out late, after another has succeeded.
func TestALateProclaimReplacesNoNewerData(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		l := s.Late("a", session.Config{})
		el, err := election.New(l.Client, stagePath, election.Config{ID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		term, err := el.Campaign(within(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Commits.Reset()
		s.Eventually("beat", func() bool { return s.Commits.Len() > 0 }) // the next multi is the Proclaim's
		read := l.Hold(zktest.Match{Op: zktest.OpMulti, Path: term.Node()})
		lost := make(chan error)
		go func() { lost <- term.Proclaim(within(t), []byte("late")) }()
		<-read
		l.Move()
		if err := <-lost; session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Fatalf("the first: %v", err)
		}
		if err := term.Proclaim(within(t), []byte("new")); err != nil {
			t.Fatal(err)
		}
		l.Back()
		l.Happen()
		if all := s.inLine(); len(all) != 1 || !strings.HasSuffix(string(all[0].Data), "new") {
			t.Errorf("in the end: %q", all[0].Data)
		}
		if err := term.Release(within(t)); err != nil {
			t.Error(err)
		}
	})
}
