package election_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestStatesAndEventsHaveWordsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for s := election.StateIdle; s <= election.StateUnhealthy; s++ {
		if w := s.String(); strings.Contains(w, "(") || seen[w] {
			t.Errorf("state %d is called %q", int(s), w)
		} else {
			seen[w] = true
		}
	}
	clear(seen)
	for k := election.EventJoined; k <= election.EventLeaderChanged; k++ {
		if w := k.String(); strings.Contains(w, "(") || seen[w] {
			t.Errorf("event %d is called %q", int(k), w)
		} else {
			seen[w] = true
		}
	}
}

func TestValuesWithoutANameAreCalledByTheirNumbers(t *testing.T) {
	for want, value := range map[string]fmt.Stringer{
		"election.State(99)": election.State(99), "election.State(-1)": election.State(-1),
		"election.EventKind(0)": election.EventKind(0), "election.EventKind(99)": election.EventKind(99),
		"recipe.Reason(99)": recipe.Reason(99), "recipe.Reason(-1)": recipe.Reason(-1), "none": recipe.Reason(0),
		"session.State(99)": session.State(99), "session.State(-1)": session.State(-1),
		"session.HeartbeatState(99)": session.HeartbeatState(99), "session.HeartbeatState(-1)": session.HeartbeatState(-1),
		"session.Outcome(99)": session.Outcome(99), "session.Outcome(-1)": session.Outcome(-1),
	} {
		if got := value.String(); got != want {
			t.Errorf("%T(%d) is called %q", value, value, got)
		}
	}
}
