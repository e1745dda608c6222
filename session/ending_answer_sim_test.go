package session_test

import (
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The answer that ends the session also tells the outcome of the request.
func TestAnAnswerThatEndsTheSessionIsStillAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		must(t, b.s.EnsurePath(t.Context(), "/a", nil))
		b.On(zktest.Match{Op: zktest.OpSetData, Host: "a", Nth: 1}, zktest.Fail(zktest.CodeSessionExpired))
		if _, err := b.s.Set(t.Context(), "/a", nil, -1); session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Error(err)
		}
		if <-b.s.Done(); !errors.Is(b.s.Err(), session.ErrExpired) {
			t.Error(b.s.Err())
		}
	})
}
