package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A resigned leader that still works is the only one as long as its drain goes on, and it may
// write. If it is cut off meanwhile, its znode is deleted, or DrainTimeout passes, the drain ends
// before another leads.
func TestADrainEndsBeforeAnotherLeads(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		want    recipe.Reason
		lose    func(s *stage, a *candidate, first *election.Term) // nil: the work stops
	}{
		"it goes on":        {0, recipe.ReasonReleased, nil},
		"it takes too long": {3 * stageD, recipe.ReasonReleased, func(*stage, *candidate, *election.Term) {}},
		"it is cut off":     {0, recipe.ReasonLeaseExpired, func(_ *stage, a *candidate, _ *election.Term) { a.host.Drop() }},
		"its znode is deleted": {0, recipe.ReasonNodeDeleted, func(s *stage, _ *candidate, first *election.Term) {
			shared.Must(s.T, s.Admin().Delete(s.T.Context(), first.Node(), -1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				shared.Must(t, s.Admin().EnsurePath(t.Context(), "/work", nil))
				finish := make(chan struct{})
				a := s.enterWith("a", election.Config{DrainTimeout: c.timeout}, func(ctx context.Context, term *election.Term) error {
					<-ctx.Done()
					<-finish
					return nil
				})
				first := a.term()
				b := s.enter("b")
				b.events.wait(election.EventHeir, 1)
				first.Resign()
				a.events.wait(election.EventDeposed, 1)
				await.Sleep(2 * stageD) // longer than the lease was when the term ended
				if first.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the callback runs")
				}
				set := &zk.SetDataRequest{Path: "/work", Data: []byte("a"), Version: -1}
				if _, err := first.Multi(t.Context(), set); err != nil {
					t.Errorf("a guarded write while the term is drained: %v", err)
				}
				if c.lose != nil {
					c.lose(s, a, first)
					defer close(finish)
				} else {
					close(finish)
				}
				b.term() // compared with the first
				if cause := context.Cause(first.DrainContext()); !errors.Is(cause, c.want) {
					t.Errorf("the drain ended with %v; want %v", cause, c.want)
				}
				if _, err := first.Multi(t.Context(), set); !errors.Is(err, recipe.ErrNotHeld) {
					t.Errorf("a guarded write afterwards: %v", err)
				}
			})
		})
	}
}
