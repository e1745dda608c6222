package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

func TestATermLastsUntilItsEnd(t *testing.T) {
	term, end := recipetest.NewTerm(t.Context())
	if !term.Valid() || term.Context().Err() != nil {
		t.Fatal("the term does not begin valid")
	}
	next, endNext := recipetest.NewTerm(t.Context())
	defer endNext(recipe.ReasonReleased)
	if next.Token() <= term.Token() {
		t.Errorf("token %d after %d", next.Token(), term.Token())
	}
	end(recipe.ReasonLeaseExpired)
	end(recipe.ReasonReleased)
	if term.Valid() || term.Context().Err() == nil {
		t.Error("the term goes on after its end")
	}
	if cause := context.Cause(term.Context()); !errors.Is(cause, recipe.ReasonLeaseExpired) || errors.Is(cause, recipe.ReasonReleased) {
		t.Errorf("cause = %v, want the first reason", cause)
	}
	if !next.Valid() {
		t.Error("one term's end ended another")
	}
}

func TestResignEndsATerm(t *testing.T) {
	term, _ := recipetest.NewTerm(t.Context())
	term.Resign()
	if cause := context.Cause(term.Context()); !errors.Is(cause, recipe.ReasonReleased) {
		t.Errorf("cause = %v", cause)
	}
	if _, err := term.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("Multi: %v", err)
	}
	if err := term.Release(t.Context()); err != nil { // as after Campaign
		t.Error(err)
	}
}

// charge is the kind of function that one wants to test.
func charge(ctx context.Context, term *election.Term, customers []string) (charged []string) {
	for _, c := range customers {
		if !term.Valid() {
			return charged
		}
		charged = append(charged, c)
	}
	return charged
}

func ExampleNewTerm() {
	term, end := recipetest.NewTerm(context.Background())
	fmt.Println(charge(term.Context(), term, []string{"ann", "bob"}))
	end(recipe.ReasonSessionLost)
	fmt.Println(charge(term.Context(), term, []string{"ann", "bob"}))
	fmt.Println(errors.Is(context.Cause(term.Context()), recipe.ReasonSessionLost))
	// Output:
	// [ann bob]
	// []
	// true
}
