package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The failures of an earlier Campaign are no reason for a later one to wait.
func TestFailuresOfAnEarlierCampaignDoNotCount(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		el, err := election.New(s.Client("a"), stagePath, election.Config{})
		if err != nil {
			t.Fatal(err)
		}
		refused := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.Fail(-125)) // a quota
		ctx, cancel := context.WithTimeout(t.Context(), 30*stageT)
		defer cancel()
		if _, err := el.Campaign(ctx); err == nil {
			t.Error("elected although all is refused")
		}
		refused.Remove()
		await.Sleep(time.Hour)
		s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.Fail(-125))
		begun := time.Now()
		term, err := el.Campaign(s.Within(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > stageD {
			t.Errorf("elected after %v", took)
		}
		_ = term.Release(t.Context())
	})
}
