package value_test

import (
	"bytes"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A large write is done, and its answer is lost. The client comes to a server that was the leader,
// which loses more of its answers. That server does not know of the write, and answers a sync all
// the same.
func TestADeposedLeaderDoesNotUndoALargeWrite(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		detour, client := s.Detour("a", session.Config{})
		v, err := value.New(client, path, value.Config{})
		must(t, err)
		was, err := v.CompareAndSet(within(t), value.Versioned{}, []byte("small"))
		must(t, err)
		lost := detour.Begin(client, zktest.OpMulti)
		more := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Server: detour.Deposed.ID()}, zktest.LoseRequest)
		done := make(chan error, 1)
		go func() {
			_, err := v.CompareAndSet(within(t), was, bytes.Repeat([]byte("x"), 9000))
			done <- err
		}()
		<-lost
		s.Eventually("losses", func() bool { return more.Hits() >= 3 })
		more.Remove()
		await.Sleep(shared.Tick / 2) // enough for all that it would answer
		detour.End()
		if err := <-done; err != nil {
			t.Errorf("the write: %v", err)
		}
		if got := len(s.data()); got != 9000 {
			t.Errorf("%d bytes are there", got)
		}
	})
}
