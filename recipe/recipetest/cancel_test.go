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
	"term":    func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewTerm(ctx) },
	"held":    func(ctx context.Context) (lasting, func(recipe.Reason)) { return recipetest.NewHeld(ctx) },
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
