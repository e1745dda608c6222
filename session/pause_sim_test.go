package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Calls that wait until they try again end with their session, and nothing is left of it a moment later.
func TestCallsBetweenTwoAttemptsEndWithTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		for _, op := range []zktest.Op{zktest.OpGetData, zktest.OpMulti} {
			b.On(zktest.Match{Op: op, Host: "a"}, zktest.Fail(-127)) // throttled
		}
		read, created := make(chan error, 1), make(chan error, 1)
		go func() {
			_, _, err := b.s.Get(t.Context(), "/")
			read <- err
		}()
		go func() {
			_, err := b.s.CreatePlace(t.Context(), "/line", "x-", nil, nil)
			created <- err
		}()
		time.Sleep(10 * simT) // the pauses are long by now
		begun := time.Now()
		b.s.Close()
		if took := time.Since(begun); took > simT/16 {
			t.Errorf("closing took %v", took)
		}
		for _, result := range []<-chan error{read, created} {
			if err := <-result; !errors.Is(err, session.ErrClosed) {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took > simT/16 {
			t.Errorf("the calls have returned after %v", took)
		}
	})
}
