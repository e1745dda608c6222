package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// restless is a place that always has something to find out.
type restless struct{ wake chan struct{} }

func (r restless) Woken() <-chan struct{} { return r.wake }

func (r restless) Step(ctx context.Context, _ time.Duration) (line.Standing, error) {
	if ctx.Err() != nil {
		return line.Standing{}, fmt.Errorf("a request: %w", context.Cause(ctx))
	}
	return line.Standing{Position: 1}, nil
}

// Tell may end the wait. Its reason is the result, and not the error of a further step.
func TestAWaitThatIsGivenUpReturnsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{InMemory: true, Logf: func(string, ...any) {}})
		client := must(session.Open(e.ConnectString(), session.Config{Dial: e.Host("a").Dial}))
		defer client.Close()
		s := must(client.Session(t.Context()))
		busy := errors.New("busy")
		place := restless{make(chan struct{})}
		close(place.wake)
		for range 30 { // the wait chooses at random
			ctx, giveUp := context.WithCancelCause(t.Context())
			wait := tenure.Wait{Clock: clock.From(ctx), Tell: func(_, _ line.Standing) { giveUp(busy) }}
			if _, err := wait.Until(ctx, s, place); err != busy {
				t.Fatal(err)
			}
		}
	})
}

// What is gone already does not depend on the context of another Release.
func TestAReleaseAfterTheReleaseNeedsNoContext(t *testing.T) {
	term, endTerm := recipetest.NewTerm(t.Context())
	held, _ := recipetest.NewHeld(t.Context())
	lost, lose := recipetest.NewHeld(t.Context())
	permit, _ := recipetest.NewPermit(t.Context())
	member, _ := recipetest.NewHeld(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	endTerm(recipe.ReasonLeaseExpired)
	lose(recipe.ReasonSessionLost)
	for what, of := range map[string]struct {
		release func(context.Context) error
		want    error
	}{
		"lock":       {held.Release, nil},
		"lost lock":  {lost.Release, recipe.ReasonSessionLost},
		"locks":      {recipetest.NewSet(member).Release, nil},
		"permit":     {permit.Release, nil},
		"ended term": {term.Release, recipe.ReasonLeaseExpired},
	} {
		for range 1000 { // a select chooses at random
			if err := of.release(ended); !errors.Is(err, of.want) {
				t.Fatalf("%s: error %v; want %v", what, err, of.want)
			}
		}
	}
}
