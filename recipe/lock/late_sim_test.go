package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A downgrade without an answer is carried out late: when the reader was found missing, and before
// the writer has left. Others would wait behind the reader for as long as the session lives.
func TestALateDowngradeLeavesNoReader(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		l := s.Late("w", session.Config{})
		rw, err := lock.NewRW(l.Client, stagePath, lock.Config{ID: "w"})
		shared.Must(t, err)
		held, err := rw.Write().Acquire(s.Within(shared.Patience))
		shared.Must(t, err)
		reader, _, _ := strings.Cut(held.Node(), "__WRIT__")
		read := l.Hold(zktest.Match{Op: zktest.OpMulti, Path: reader + "__READ__*"})
		ctx, cancel := context.WithCancel(s.Within(shared.Patience))
		over := make(chan error)
		go func() {
			_, err := held.Downgrade(ctx)
			over <- err
		}()
		<-read
		l.Cut()
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("Downgrade: %v", err)
		}
		leaving := s.On(zktest.Match{Op: zktest.OpMulti, Path: stagePath, Host: "w", Nth: 1}, zktest.DropRequest)
		l.Move()
		<-leaving.Fired()
		await.Sleep(stageD / 16) // other requests are answered
		l.Back()
		l.Happen()
		await.Sleep(stageD)
		for _, n := range s.inLine() {
			t.Errorf("there is %s", n.Path)
		}
	})
}
