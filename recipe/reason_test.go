package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

var allReasons = []recipe.Reason{
	recipe.ReasonReleased, recipe.ReasonReturned, recipe.ReasonStopped, recipe.ReasonPanicked, recipe.ReasonCancelled, recipe.ReasonClosed,
	recipe.ReasonUnhealthy, recipe.ReasonLeaseExpired, recipe.ReasonSessionLost, recipe.ReasonNodeDeleted,
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
		want := r != recipe.ReasonLeaseExpired && r != recipe.ReasonSessionLost && r != recipe.ReasonNodeDeleted
		if r.Chosen() != want {
			t.Errorf("%v: Chosen is %v", r, r.Chosen())
		}
	}
	if recipe.Reason(0).Chosen() {
		t.Error("no reason is chosen")
	}
}

func TestEndedMatchesItsReasonAndWhatLedToIt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&recipe.EndedError{Reason: recipe.ReasonSessionLost, Err: session.ErrExpired})
	cause := context.Cause(ctx)
	if !errors.Is(cause, recipe.ReasonSessionLost) || !errors.Is(cause, session.ErrExpired) || errors.Is(cause, recipe.ReasonReleased) {
		t.Errorf("cause %v", cause)
	}
	var reason recipe.Reason
	if !errors.As(cause, &reason) || reason != recipe.ReasonSessionLost {
		t.Errorf("As gives %v", reason)
	}
	if text := cause.Error(); !strings.Contains(text, "session lost") || !strings.Contains(text, "expired") {
		t.Errorf("%q", text)
	}

	alone := error(&recipe.EndedError{Reason: recipe.ReasonReturned})
	if !errors.Is(alone, recipe.ReasonReturned) || errors.Is(alone, session.ErrExpired) {
		t.Errorf("without an error: %v", alone)
	}
	var perr *recipe.PermanentError
	if errors.As(alone, &perr) {
		t.Error("an EndedError without an error is a PermanentError")
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

func TestAPermanentErrorTellsThePathAndWhatWasRefused(t *testing.T) {
	err := error(&recipe.PermanentError{Path: "/billing", Err: zk.ErrNoAuth})
	if !errors.Is(err, zk.ErrNoAuth) {
		t.Error("it hides the cause")
	}
	if text := err.Error(); !strings.Contains(text, "/billing") || !strings.Contains(text, zk.ErrNoAuth.Error()) {
		t.Errorf("%q", text)
	}
}

func TestWhatWasNotHeldWasNotDone(t *testing.T) {
	if got := session.OutcomeOf(fmt.Errorf("wrapped: %w", recipe.ErrNotHeld)); got != session.OutcomeNotDone {
		t.Errorf("the outcome of ErrNotHeld is %v", got)
	}
}
