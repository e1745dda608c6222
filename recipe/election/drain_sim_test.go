package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A resigned leader that still works is the only one as long as its drain goes on, and it may write. If it
// is cut off meanwhile, the drain ends before another leads.
func TestADrainEndsBeforeAnotherLeads(t *testing.T) {
	for name, cut := range map[string]bool{"it goes on": false, "it is cut off": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				shared.Must(t, s.Admin().EnsurePath(t.Context(), "/work", nil))
				finish := make(chan struct{})
				a := s.enterWith("a", election.Config{}, func(ctx context.Context, term *election.Term) error {
					<-ctx.Done()
					<-finish
					return nil
				})
				first := a.term()
				b := s.enter("b")
				b.events.wait(election.EventHeir, 1)
				first.Resign()
				a.events.wait(election.EventDeposed, 1)
				time.Sleep(2 * stageD) // longer than the lease was when the term ended
				if first.DrainContext().Err() != nil {
					t.Fatal("the drain is over while the callback runs")
				}
				set := &zk.SetDataRequest{Path: "/work", Data: []byte("a"), Version: -1}
				if _, err := first.Multi(t.Context(), set); err != nil {
					t.Errorf("a guarded write while the term is drained: %v", err)
				}
				want := recipe.ReasonReleased
				if cut {
					a.host.Drop()
					want = recipe.ReasonLeaseExpired
				} else {
					close(finish)
				}
				b.term() // compared with the first
				if cause := context.Cause(first.DrainContext()); !errors.Is(cause, want) {
					t.Errorf("the drain ended with %v; want %v", cause, want)
				}
				if _, err := first.Multi(t.Context(), set); !errors.Is(err, recipe.ErrNotHeld) {
					t.Errorf("a guarded write afterwards: %v", err)
				}
				if cut {
					close(finish)
				}
			})
		})
	}
}
