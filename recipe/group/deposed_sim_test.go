package group_test

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The answer to the create is lost, and nobody waits for the member any more. The client comes to a
// server that was the leader. That one does not know of the znode, and answers a sync all the same.
func TestADeposedLeaderLeavesNoMemberBehind(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		detour, client := s.Detour("a", session.Config{})
		must(t, s.Session(client).EnsureHeartbeat(s.Within(patience)))
		must(t, s.Session(client).EnsurePath(s.Within(patience), dir, nil))
		lost := detour.Begin(client, zktest.OpMulti)
		ctx, cancel := context.WithCancel(s.Within(patience))
		failed := make(chan error, 1)
		go func() {
			_, err := join(ctx, client, dir, group.Config{ID: "a"})
			failed <- err
		}()
		<-lost
		cancel()
		if err := <-failed; err == nil {
			t.Fatal("joined")
		}
		await.Sleep(stageTick / 2) // enough for all that the deposed leader would answer
		detour.End()
		s.Eventually("end of the member", func() bool { return len(s.listed()) == 0 })
		if err := s.Session(client).Err(); err != nil {
			t.Errorf("the session: %v", err)
		}
	})
}
