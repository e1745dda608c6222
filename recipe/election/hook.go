package election

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/testhook"
)

func init() { testhook.NewTerm = newTestTerm }

// endless is the lease of a Term for unit tests.
type endless struct{}

func (endless) Valid() bool              { return true }
func (endless) Remaining() time.Duration { return time.Hour }
func (endless) Deadline() time.Time      { return time.Now().Add(time.Hour) }

// newTestTerm makes a term for electiontest.
func newTestTerm(ctx context.Context, id string, token int64) (any, func(recipe.Reason)) {
	t := newTerm(ctx, id, held.Config{Clock: clock.From(ctx), Lease: endless{}, Token: token})
	close(t.released)
	end := func(reason recipe.Reason, err error) {
		t.held.End(reason, err)
		t.held.Finish()
	}
	context.AfterFunc(ctx, func() { end(recipe.ReasonCancelled, context.Cause(ctx)) })
	return t, func(reason recipe.Reason) { end(reason, nil) }
}
