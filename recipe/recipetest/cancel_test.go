package recipetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

// lasting is what all that ends has.
type lasting interface {
	Valid() bool
	Context() context.Context
}

var makers = map[string]func(ctx context.Context) (lasting, func(recipe.Reason)){
	"term": func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewTerm(ctx) },
	"held": func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewHeld(ctx) },
	"set": func(ctx context.Context) (lasting, func(recipe.Reason)) {
		other, _ := recipetest.NewHeld(context.Background())
		held, end := recipetest.NewHeld(ctx)
		return recipetest.NewSet(other, held), end
	},
	"permit":  func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewPermit(ctx, 1, 2) },
	"listing": func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewListing(ctx) },
	"round":   func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewRound(ctx) },
}

// A test need not wait until what it has cancelled is over.
func TestACancelledContextEndsAtOnceWhatWasMadeWithIt(t *testing.T) {
	why := errors.New("why")
	for name, make := range makers {
		for i := range 400 {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if i%2 == 0 {
				cancel(why) // before
			}
			x, end := make(ctx)
			if i%2 != 0 {
				if !x.Valid() || x.Context().Err() != nil {
					t.Fatalf("%s does not begin valid", name)
				}
				cancel(why)
			}
			if i%4 < 2 && x.Valid() || x.Context().Err() == nil || x.Valid() {
				t.Fatalf("%s is valid after the end of its context", name)
			}
			end(recipe.ReasonSessionLost) // too late
			if cause := context.Cause(x.Context()); !errors.Is(cause, recipe.ReasonCancelled) || !errors.Is(cause, why) {
				t.Fatalf("%s: cause = %v", name, cause)
			}
		}
	}
}

// An end by our own choice leaves time for the work to stop: until the release, or an end for
// another reason.
func TestTheDrainOfWhatATestHasMade(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	term, endTerm := recipetest.NewTerm(ctx)
	held, _ := recipetest.NewHeld(ctx)
	permit, _ := recipetest.NewPermit(ctx)
	one, _ := recipetest.NewHeld(ctx)
	two, _ := recipetest.NewHeld(t.Context())
	set := recipetest.NewSet(one, two)
	drains := map[string]context.Context{"term": term.DrainContext(), "lock": held.DrainContext(), "set": set.DrainContext(), "permit": permit.DrainContext()}
	cancel()
	if term.Valid() || held.Valid() || set.Valid() || permit.Valid() {
		t.Error("valid after the end of the context")
	}
	for name, drain := range drains {
		if drain.Err() != nil {
			t.Errorf("%s: the drain is over before the work has stopped", name)
		}
	}
	endTerm(recipe.ReasonLeaseExpired)
	held.Release(t.Context())
	set.Release(t.Context())
	permit.Release(t.Context())
	for name, drain := range drains {
		if drain.Err() == nil {
			t.Errorf("%s: the drain goes on", name)
		} else {
			<-drain.Done() // that of a set is closed a moment later, if nobody asks for Err
		}
	}
	if cause := context.Cause(term.DrainContext()); !errors.Is(cause, recipe.ReasonLeaseExpired) || !errors.Is(context.Cause(term.Context()), recipe.ReasonCancelled) {
		t.Errorf("the drain has ended with %v, the term with %v", cause, context.Cause(term.Context()))
	}
}
