package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

func TestAListingLastsUntilItsEnd(t *testing.T) {
	listing, end := recipetest.NewListing(t.Context())
	next, _ := recipetest.NewListing(t.Context())
	if !listing.Valid() || listing.Remaining() <= 0 || listing.Context().Err() != nil || next.Token() <= listing.Token() {
		t.Fatal("it does not begin valid, or tokens do not grow")
	}
	end(recipe.ReasonNodeDeleted)
	end(recipe.ReasonReleased)
	if listing.Valid() || listing.Remaining() != 0 || !errors.Is(context.Cause(listing.Context()), recipe.ReasonNodeDeleted) {
		t.Errorf("cause %v", context.Cause(listing.Context()))
	}
	if !next.Valid() {
		t.Error("one end ended another")
	}
	ctx, cancel := context.WithCancel(t.Context())
	third, _ := recipetest.NewListing(ctx)
	cancel()
	<-third.Context().Done()
	if !errors.Is(context.Cause(third.Context()), recipe.ReasonCancelled) {
		t.Errorf("cause %v", context.Cause(third.Context()))
	}
}

func TestARoundLastsUntilItsEnd(t *testing.T) {
	round, end := recipetest.NewRound(t.Context())
	if !round.Valid() || round.Context().Err() != nil {
		t.Fatal("it does not begin valid")
	}
	end(recipe.ReasonSessionLost)
	if round.Valid() || !errors.Is(context.Cause(round.Context()), recipe.ReasonSessionLost) {
		t.Errorf("cause %v", context.Cause(round.Context()))
	}
	if err := round.Leave(t.Context()); err != nil {
		t.Errorf("Leave of what is lost: %v", err)
	}
	round, _ = recipetest.NewRound(t.Context())
	for range 2 {
		if err := round.Leave(t.Context()); err != nil || round.Valid() || !errors.Is(context.Cause(round.Context()), recipe.ReasonReleased) {
			t.Errorf("Leave: %v, %v", err, context.Cause(round.Context()))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	round, _ = recipetest.NewRound(ctx)
	cancel()
	<-round.Context().Done()
}

// serve is the kind of function that one wants to test: it does work that others hand out.
func serve(listing *group.Listing, jobs []string) (done []string) {
	for _, job := range jobs {
		if !listing.Valid() {
			return done
		}
		done = append(done, job)
	}
	return done
}

func ExampleNewListing() {
	listing, end := recipetest.NewListing(context.Background())
	fmt.Println(serve(listing, []string{"one", "two"}))
	end(recipe.ReasonLeaseExpired)
	fmt.Println(serve(listing, []string{"one", "two"}))
	// Output:
	// [one two]
	// []
}

func ExampleNewRound() {
	round, end := recipetest.NewRound(context.Background())
	fmt.Println(round.Valid())
	end(recipe.ReasonSessionLost)
	fmt.Println(round.Valid(), context.Cause(round.Context()))
	// Output:
	// true
	// false recipe: not held any more: session lost
}

// pick is the kind of function that one wants to test: it chooses a member, unless the list is old.
func pick(s group.Snapshot) string {
	if s.Age() > 10*time.Second || len(s.Members) == 0 {
		return "nobody"
	}
	return s.Members[0].ID
}

func ExampleNewSnapshot() {
	a, b := group.Entry{ID: "a", Token: 1}, group.Entry{ID: "b", Token: 2}
	fmt.Println(pick(recipetest.NewSnapshot(time.Second, a, b)))
	fmt.Println(pick(recipetest.NewSnapshot(time.Minute, a, b)))
	// Output:
	// a
	// nobody
}
