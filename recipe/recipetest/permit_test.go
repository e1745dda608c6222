package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

func TestAPermitLastsUntilItsEnd(t *testing.T) {
	permit, end := recipetest.NewPermit(t.Context(), 3, 5)
	next, _ := recipetest.NewPermit(t.Context())
	if !permit.Valid() || permit.N() != 2 || permit.Slot().Number() != 3 || !permit.Slots()[1].Valid() || next.Token() <= permit.Token() {
		t.Fatal("it does not begin valid, or has other slots, or tokens do not grow")
	}
	if next.N() != 1 || next.Slot().Number() != -1 {
		t.Errorf("without slots: %d permits, slot %d", next.N(), next.Slot().Number())
	}
	end(recipe.ReasonLeaseExpired)
	end(recipe.ReasonReleased)
	if permit.Valid() || permit.Slot().Valid() || permit.Remaining() != 0 || !errors.Is(context.Cause(permit.Context()), recipe.ReasonLeaseExpired) {
		t.Errorf("cause %v", context.Cause(permit.Context()))
	}
	if err := permit.Release(t.Context()); !errors.Is(err, recipe.ReasonLeaseExpired) {
		t.Errorf("Release of what is lost: %v", err)
	}
	if err := next.Release(t.Context()); err != nil || next.Valid() {
		t.Errorf("Release: %v", err)
	}
	if _, err := next.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("Multi: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	third, _ := recipetest.NewPermit(ctx)
	cancel()
	<-third.Context().Done()
	if !errors.Is(context.Cause(third.Context()), recipe.ReasonCancelled) {
		t.Errorf("cause %v", context.Cause(third.Context()))
	}
}

// What no recipe hands out is refused when it is made, and not when it is used.
func TestWhatNoRecipeHandsOutIsRefused(t *testing.T) {
	held, _ := recipetest.NewHeld(t.Context())
	for name, make := range map[string]func(){
		"a slot twice":       func() { recipetest.NewPermit(t.Context(), 3, 4, 3) },
		"a negative slot":    func() { recipetest.NewPermit(t.Context(), -1) },
		"a set without lock": func() { recipetest.NewSet(nil) },
		"a nil lock":         func() { recipetest.NewSet(held, nil) },
		"a lock twice":       func() { recipetest.NewSet(held, held) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "recipetest: New") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			make()
		}()
	}
}

// ids is the kind of function that one wants to test: it makes ids that contain a worker's number.
func ids(worker semaphore.Slot, n int) (all []string) {
	for i := range n {
		if !worker.Valid() {
			return all
		}
		all = append(all, fmt.Sprintf("%d-%d", worker.Number(), i))
	}
	return all
}

func ExampleNewPermit() {
	permit, end := recipetest.NewPermit(context.Background(), 7)
	fmt.Println(ids(permit.Slot(), 2))
	end(recipe.ReasonSessionLost)
	fmt.Println(ids(permit.Slot(), 2))
	// Output:
	// [7-0 7-1]
	// []
}
