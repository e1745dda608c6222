package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"testing/synctest"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
	"github.com/zkrecipe/zkrecipe/session"
)

// newHelds makes n locks that are held, and returns the ends of each.
func newHelds(ctx context.Context, n int) (helds []*lock.Held, ends []func(recipe.Reason)) {
	for range n {
		held, end := recipetest.NewHeld(ctx)
		helds, ends = append(helds, held), append(ends, end)
	}
	return helds, ends
}

func TestASetLastsUntilTheEndOfTheFirstOfItsLocks(t *testing.T) {
	for lost := range 3 {
		helds, ends := newHelds(t.Context(), 3)
		set := recipetest.NewSet(helds[0], helds[1:]...)
		if !set.Valid() || set.Remaining() <= 0 || set.Context().Err() != nil || set.DrainContext().Err() != nil {
			t.Fatal("it does not begin valid")
		}
		if got := set.Held(); len(got) != 3 || got[0] != helds[0] || got[2] != helds[2] || got[2].Token() <= got[0].Token() {
			t.Errorf("it consists of %v, want %v", got, helds)
		}
		ends[lost](recipe.ReasonSessionLost)
		if set.Valid() || set.Remaining() != 0 || set.Context().Err() == nil || set.DrainContext().Err() == nil {
			t.Errorf("valid without number %d of its locks", lost)
		}
		ends[(lost+1)%3](recipe.ReasonReleased) // too late
		if cause := context.Cause(set.Context()); !errors.Is(cause, recipe.ReasonSessionLost) {
			t.Errorf("cause %v", cause)
		}
		if !helds[(lost+2)%3].Valid() {
			t.Error("one end ended the others")
		}
		if err := set.Release(t.Context()); !errors.Is(err, recipe.ReasonSessionLost) {
			t.Errorf("Release of what is lost: %v", err)
		}
		if helds[(lost+2)%3].Valid() {
			t.Error("one is held after the release of all")
		}
	}
}

func TestASetEndsByItsRelease(t *testing.T) {
	type key struct{}
	first, _ := recipetest.NewHeld(context.WithValue(t.Context(), key{}, "value"))
	second, _ := recipetest.NewHeld(t.Context())
	set := recipetest.NewSet(first, second)
	if set.Context().Value(key{}) != "value" {
		t.Error("the context has not the values of the first")
	}
	if err := set.Release(t.Context()); err != nil || set.Valid() || first.Valid() || second.Valid() {
		t.Errorf("Release: %v", err)
	}
	if cause := context.Cause(set.Context()); !errors.Is(cause, recipe.ReasonReleased) {
		t.Errorf("cause %v", cause)
	}
	if _, err := set.Multi(t.Context()); !errors.Is(err, recipe.ErrNotHeld) {
		t.Errorf("Multi: %v", err)
	}
	// A single one is a set, too, and its end is that of one that is released by its user.
	alone, _ := recipetest.NewHeld(t.Context())
	set = recipetest.NewSet(alone)
	if err := alone.Release(t.Context()); err != nil || set.Valid() {
		t.Errorf("Release of one: %v", err)
	}
}

// accounts are locks of one client.
func accounts(t *testing.T, client *session.Client, cfg lock.Config, paths ...string) (all []*lock.Lock) {
	t.Helper()
	for _, path := range paths {
		l, err := lock.New(client, path, cfg)
		must(t, err)
		all = append(all, l)
	}
	return all
}

// Code that calls All itself is tested with an ensemble: somebody else holds one of the locks, and
// then asks for one of them, and at last one is lost.
func TestCodeThatCallsAllIsTestedWithAnEnsemble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, e := recipetest.NewClient(t)
		other, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("other").Dial})
		must(t, err)
		defer other.Close()
		theirs := accounts(t, other, lock.Config{}, "/accounts/b")[0]
		held, err := theirs.Acquire(t.Context())
		must(t, err)

		asked := make(chan *lock.Held, 1)
		ctx, cancel := context.WithCancel(t.Context())
		both := accounts(t, client, lock.Config{
			OnRevoke: func(h *lock.Held) { asked <- h },
			OnEvent: func(ev lock.Event) {
				if ev.Kind == lock.EventJoined {
					cancel() // it stands in line
				}
			},
		}, "/accounts/a", "/accounts/b")
		if _, err := lock.All(ctx, both...); !errors.Is(err, context.Canceled) {
			t.Errorf("All beside another holder: %v", err)
		}
		must(t, held.Release(t.Context()))

		set, err := lock.All(t.Context(), both...)
		must(t, err)
		must(t, theirs.Revoke(t.Context()))
		if h := <-asked; h != set.Held()[1] {
			t.Errorf("asked for %s, want %s", h.Node(), set.Held()[1].Node())
		}
		must(t, set.Release(t.Context()))

		set, err = lock.All(t.Context(), both...)
		must(t, err)
		s, err := other.Session(t.Context())
		must(t, err)
		must(t, s.Delete(t.Context(), set.Held()[0].Node(), -1))
		<-set.Context().Done()
		if cause := context.Cause(set.Context()); !errors.Is(cause, recipe.ReasonNodeDeleted) || set.Valid() || !set.Held()[1].Valid() {
			t.Errorf("cause %v", cause)
		}
		if err := set.Release(t.Context()); !errors.Is(err, recipe.ReasonNodeDeleted) {
			t.Errorf("Release of what is lost: %v", err)
		}
	})
}

// transfer is the kind of function that one wants to test: it changes two things, and begins no
// change that it may not finish.
func transfer(both *lock.Set, amounts ...int) (done []int) {
	for _, amount := range amounts {
		if !both.Valid() {
			return done
		}
		done = append(done, amount)
	}
	return done
}

func ExampleNewSet() {
	from, _ := recipetest.NewHeld(context.Background())
	to, end := recipetest.NewHeld(context.Background())
	both := recipetest.NewSet(from, to)
	fmt.Println(transfer(both, 10, 20))
	end(recipe.ReasonNodeDeleted) // one of them
	fmt.Println(transfer(both, 10, 20), context.Cause(both.Context()))
	// Output:
	// [10 20]
	// [] recipe: not held any more: node deleted
}

// book is a function that calls All itself: it gives up when its context ends.
func book(ctx context.Context, accounts ...*lock.Lock) string {
	both, err := lock.All(ctx, accounts...)
	if err != nil {
		return "try later"
	}
	defer both.Release(ctx)
	return "booked"
}

func ExampleNewClient_all() {
	var t inExample // in a test, its *testing.T
	defer t.end()
	client, e := recipetest.NewClient(&t)
	other, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("other").Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// When it stands in line, its context ends.
	from, err1 := lock.New(client, "/from", lock.Config{})
	to, err2 := lock.New(client, "/to", lock.Config{OnEvent: func(ev lock.Event) {
		if ev.Kind == lock.EventJoined {
			cancel()
		}
	}})
	theirs, err3 := lock.New(other, "/to", lock.Config{})
	if err := errors.Join(err1, err2, err3); err != nil {
		log.Fatal(err)
	}
	held, err := theirs.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(book(ctx, from, to))
	held.Release(context.Background())
	fmt.Println(book(context.Background(), from, to))
	// Output:
	// try later
	// booked
}
