package recipetest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/recipetest"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAClientIsForAllRecipes(t *testing.T) {
	t.Run("in time", everyRecipe)
	t.Run("in a bubble", func(t *testing.T) { synctest.Test(t, everyRecipe) })
}

func everyRecipe(t *testing.T) {
	client, e := recipetest.NewClient(t)
	other, err := session.Open(e.ConnectString(), session.Config{Dial: e.Host("other").Dial})
	must(t, err)
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := value.NewCounter(other, "/app/n", value.CounterConfig{})
	must(t, err)
	_, err = n.Add(ctx, 7)
	must(t, err)
	c, err := cache.New(client, "/app", cache.Config{})
	must(t, err)
	defer c.Close()
	must(t, c.Fresh(ctx))
	if got, ok, err := c.Get(ctx, "/app/n"); string(got.Data) != "7" || !ok || err != nil {
		t.Errorf("%q, %v, %v", got.Data, ok, err)
	}
	b, err := barrier.New(client, "/app/b", barrier.Config{})
	must(t, err)
	must(t, b.Wait(ctx))
	g, err := group.New(client, "/app/g", group.Config{ID: "a"})
	must(t, err)
	m, err := g.Join(ctx)
	must(t, err)
	first, err := m.Listing(ctx)
	must(t, err)
	e.ExpireSession(client.Status().Session)
	<-first.Context().Done()
	if next, err := m.Listing(ctx); err != nil || next.Token() == first.Token() {
		t.Errorf("after the end of the session: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take is the kind of function that one wants to test: it takes a number, and tells when it cannot
// know whether it has one.
func take(ctx context.Context, orders *value.Counter) string {
	var unknown *value.UnknownError
	switch n, err := orders.Add(ctx, 1); {
	case errors.As(err, &unknown):
		return fmt.Sprintf("perhaps %d", unknown.To)
	case err != nil:
		return "none"
	default:
		return fmt.Sprint(n)
	}
}

func ExampleNewClient() {
	var t inExample // in a test, its *testing.T
	defer t.end()
	client, e := recipetest.NewClient(&t)
	orders, err := value.NewCounter(client, "/orders", value.CounterConfig{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(take(ctx, orders))
	lost := e.On(zktest.Match{Op: zktest.OpMulti, Host: "client"}, zktest.DropReply)
	go func() { <-lost.Fired(); cancel() }() // the answer does not come, and the caller leaves
	fmt.Println(take(ctx, orders))
	// Output:
	// 1
	// perhaps 2
}

// inExample stands for the *testing.T, which an example does not have.
type inExample struct{ cleanups []func() }

func (*inExample) Helper()                      {}
func (*inExample) Logf(string, ...any)          {}
func (*inExample) Fatalf(text string, a ...any) { log.Fatalf(text, a...) }
func (t *inExample) Cleanup(f func())           { t.cleanups = append(t.cleanups, f) }

func (t *inExample) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
