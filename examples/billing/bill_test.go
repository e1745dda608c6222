package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
)

// fake is a database with two items due, at each look. after is called after each charge.
type fake struct {
	charged []item
	tokens  []int64
	after   func() error
}

func (f *fake) Due(ctx context.Context, token int64) ([]item, error) {
	f.tokens = append(f.tokens, token)
	return []item{one, two}, ctx.Err()
}

func (f *fake) Charge(_ context.Context, token int64, it item) error {
	f.tokens, f.charged = append(f.tokens, token), append(f.charged, it)
	return f.after()
}

// billed bills until the term ends, or something else ends it.
func billed(t *testing.T, term *election.Term, db books) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- bill(term.Context(), term, db) }()
	select {
	case err := <-done:
		return err
	case <-time.After(hang):
		t.Fatal("the billing goes on and on") // until the test's context ends
		return nil
	}
}

func TestBillingStopsWithTheTerm(t *testing.T) {
	term, end := recipetest.NewTerm(t.Context())
	db := &fake{after: func() error { end(recipe.ReasonLeaseExpired); return nil }}
	err := billed(t, term, db)
	if !errors.Is(err, recipe.ReasonLeaseExpired) || !slices.Equal(db.charged, []item{one}) {
		t.Errorf("charged %v, error %v; want the first item and why the term ended", db.charged, err)
	}
	for _, token := range db.tokens {
		if token != term.Token() {
			t.Errorf("the requests had the tokens %v; want %d alone", db.tokens, term.Token())
		}
	}
}

// The outcome of a failed charge is unknown, so nothing more may happen in this term.
func TestAnErrorEndsTheTerm(t *testing.T) {
	term, end := recipetest.NewTerm(t.Context())
	defer end(recipe.ReasonReleased)
	lost := errors.New("answer lost")
	db := &fake{after: func() error { return lost }}
	if err := billed(t, term, db); err != lost || len(db.charged) != 1 {
		t.Errorf("charged %v, error %v; want one attempt and its error", db.charged, err)
	}
}

func TestBillingLooksAgainForWhatIsDue(t *testing.T) {
	term, end := recipetest.NewTerm(t.Context())
	db := &fake{}
	db.after = func() error {
		if len(db.charged) == 3 {
			end(recipe.ReasonCancelled)
		}
		return nil
	}
	err := billed(t, term, db)
	if want := []item{one, two, one}; !errors.Is(err, recipe.ReasonCancelled) || !slices.Equal(db.charged, want) {
		t.Errorf("charged %v, error %v; want %v and why the term ended", db.charged, err, want)
	}
}
