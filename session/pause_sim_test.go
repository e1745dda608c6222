package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Calls that wait for their next attempt end with their session, and a moment later nothing is left
// of it.
func TestCallsBetweenTwoAttemptsEndWithTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		for _, op := range []zktest.Op{zktest.OpGetData, zktest.OpMulti} {
			b.On(zktest.Match{Op: op, Host: "a"}, zktest.Fail(-127)) // throttled
		}
		const each = 20 // some of them have much of their pause before them
		results := make(chan error, 2*each)
		for range each {
			go func() {
				_, _, err := b.s.Get(t.Context(), "/")
				results <- err
			}()
			go func() {
				_, err := b.s.CreatePlace(t.Context(), "/line", "x-", nil, nil)
				results <- err
			}()
		}
		await.Sleep(10 * simT) // the pauses are long by now
		begun := time.Now()
		b.s.Close()
		if took := time.Since(begun); took > simT/16 {
			t.Errorf("closing took %v", took)
		}
		for range cap(results) {
			if err := <-results; !errors.Is(err, session.ErrClosed) {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took > simT/16 {
			t.Errorf("the calls have returned after %v", took)
		}
	})
}
