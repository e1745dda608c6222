package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

func TestAHeldLastsUntilItsEnd(t *testing.T) {
	held, end := recipetest.NewHeld(t.Context())
	next, _ := recipetest.NewHeld(t.Context())
	if !held.Valid() || held.Context().Err() != nil || next.Token() <= held.Token() {
		t.Fatal("it does not begin valid, or tokens do not grow")
	}
	end(recipe.ReasonLeaseExpired)
	end(recipe.ReasonReleased)
	if held.Valid() || held.Remaining() != 0 || !errors.Is(context.Cause(held.Context()), recipe.ReasonLeaseExpired) {
		t.Errorf("cause %v", context.Cause(held.Context()))
	}
	if err := held.Release(t.Context()); !errors.Is(err, recipe.ReasonLeaseExpired) {
		t.Errorf("Release of what is lost: %v", err)
	}
	if !next.Valid() {
		t.Error("one end ended another")
	}
	if err := next.Release(t.Context()); err != nil || next.Valid() {
		t.Errorf("Release: %v", err)
	}
	if _, err := next.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("Multi: %v", err)
	}
}

func TestTheContextsEndIsAnEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	held, _ := recipetest.NewHeld(ctx)
	cancel()
	<-held.Context().Done()
	if !errors.Is(context.Cause(held.Context()), recipe.ReasonCancelled) {
		t.Errorf("cause %v", context.Cause(held.Context()))
	}
}

// move is the kind of function that one wants to test.
func move(held *lock.Held, boxes []string) (moved []string) {
	for _, box := range boxes {
		if !held.Valid() {
			return moved
		}
		moved = append(moved, box)
	}
	return moved
}

func ExampleNewHeld() {
	held, end := recipetest.NewHeld(context.Background())
	fmt.Println(move(held, []string{"one", "two"}))
	end(recipe.ReasonSessionLost)
	fmt.Println(move(held, []string{"one", "two"}))
	// Output:
	// [one two]
	// []
}
