package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A test of the loss of a lock takes milliseconds: an ensemble runs inside the test, and expires
// the session. For tests without an ensemble there is package recipetest.
func Example_testing() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // in a test: zktest.Start(t)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	l, err := lock.New(client, "/accounts/7", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = l.Do(context.Background(), func(ctx context.Context, held *lock.Held) error {
		e.ExpireSession(client.Status().Session)
		<-ctx.Done()
		fmt.Println("held:", held.Valid())
		return ctx.Err()
	})
	var ended *recipe.EndedError
	fmt.Println("lost:", errors.As(err, &ended) && !ended.Reason.Chosen(), "and the work was cancelled:", errors.Is(err, context.Canceled))
	// Output:
	// held: false
	// lost: true and the work was cancelled: true
}
