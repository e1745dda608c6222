package election_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A callback that always fails is called about every 100 ms while no healthy candidate stands in the line, and rarely
// while one does. The status has its last error.
func TestACallbackThatAlwaysFailsIsCalledAgain(t *testing.T) {
	for _, failing := range []int{1, 2} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			broken := errors.New("no database")
			var calls atomic.Int64
			fail := func(context.Context, *election.Term) error { calls.Add(1); return broken }
			calledIn10s := func() int64 {
				before := calls.Load()
				await.Sleep(10 * time.Second)
				return calls.Load() - before
			}
			var all []*candidate
			for _, name := range []string{"a", "b"}[:failing] {
				all = append(all, s.enterWith(name, election.Config{}, fail))
			}
			await.Sleep(5 * time.Second)
			if n := calledIn10s(); n < 70 || n > 220 {
				t.Errorf("%d that fail: %d calls in 10 s; want some 100 for each", failing, n)
			}
			for _, c := range all {
				if st := c.Status(); st.LastReason != recipe.ReasonReturned || st.LastErr != broken {
					t.Errorf("status: %v, %v", st.LastReason, st.LastErr)
				}
			}
			s.enter("healthy").term()
			if n := calledIn10s(); n > 10 {
				t.Errorf("%d that fail beside a healthy one: %d calls in 10 s", failing, n)
			}
		})
	}
}
