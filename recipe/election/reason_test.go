package election_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

var allReasons = []election.Reason{
	election.Resigned, election.Returned, election.Stopped, election.Panicked, election.Cancelled, election.Closed,
	election.Unhealthy, election.LeaseExpired, election.SessionLost, election.NodeDeleted,
}

func TestEveryReasonHasWordsOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allReasons {
		s := r.String()
		if seen[s] || strings.Contains(s, "Reason(") || !strings.Contains(r.Error(), s) {
			t.Errorf("reason %d is called %q, its error %q", int(r), s, r.Error())
		}
		seen[s] = true
	}
}

func TestChosenReasonsAreThoseThatKeepTheZnode(t *testing.T) {
	for _, r := range allReasons {
		want := r != election.LeaseExpired && r != election.SessionLost && r != election.NodeDeleted
		if r.Chosen() != want {
			t.Errorf("%v: Chosen is %v", r, r.Chosen())
		}
	}
	if election.Reason(0).Chosen() {
		t.Error("no reason is chosen")
	}
}

func TestEndedMatchesItsReasonAndWhatLedToIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&election.Ended{Reason: election.SessionLost, Err: session.ErrExpired})
	cause := context.Cause(ctx)
	if !errors.Is(cause, election.SessionLost) || !errors.Is(cause, session.ErrExpired) || errors.Is(cause, election.Resigned) {
		t.Errorf("cause %v", cause)
	}
	var reason election.Reason
	if !errors.As(cause, &reason) || reason != election.SessionLost {
		t.Errorf("As gives %v", reason)
	}
	mustSay(t, cause, "session lost", "expired")

	alone := error(&election.Ended{Reason: election.Returned})
	if !errors.Is(alone, election.Returned) || errors.Is(alone, session.ErrExpired) {
		t.Errorf("without an error: %v", alone)
	}
	var perr *election.PermanentError
	if errors.As(alone, &perr) {
		t.Error("an Ended without an error is a PermanentError")
	}
	for _, err := range alone.(interface{ Unwrap() []error }).Unwrap() {
		if err == nil {
			t.Error("without an error: Unwrap returns a nil") // which who walks the tree would call
		}
	}
	if strings.Contains(alone.Error(), "nil") {
		t.Errorf("%q", alone)
	}
}

func TestAPermanentErrorTellsTheElectionAndWhatWasRefused(t *testing.T) {
	err := error(&election.PermanentError{Path: "/billing", Err: zk.ErrNoAuth})
	if !errors.Is(err, zk.ErrNoAuth) {
		t.Error("it hides the cause")
	}
	mustSay(t, err, "/billing", zk.ErrNoAuth.Error())
}

func TestStatesAndEventsHaveWordsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for s := election.Idle; s <= election.StayingOut; s++ {
		if w := s.String(); strings.Contains(w, "(") || seen[w] {
			t.Errorf("state %d is called %q", int(s), w)
		} else {
			seen[w] = true
		}
	}
	clear(seen)
	for k := election.Joined; k <= election.LeaderChanged; k++ {
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
		"election.Reason(99)": election.Reason(99), "election.Reason(-1)": election.Reason(-1), "none": election.Reason(0),
		"session.State(99)": session.State(99), "session.State(-1)": session.State(-1),
		"session.HeartbeatState(99)": session.HeartbeatState(99), "session.HeartbeatState(-1)": session.HeartbeatState(-1),
		"session.Outcome(99)": session.Outcome(99), "session.Outcome(-1)": session.Outcome(-1),
	} {
		if got := value.String(); got != want {
			t.Errorf("%T(%d) is called %q", value, value, got)
		}
	}
}
