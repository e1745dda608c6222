package lock_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// The context of Do ends while a step is in progress. The step is finished, and nobody else has the lock meanwhile.
func ExampleHeld_DrainContext() {
	client, done := example()
	defer done()
	l, err := lock.New(client, "/accounts/8", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	book := func(ctx context.Context, held *lock.Held, amount int) error {
		stop() // while an amount is booked
		<-held.Context().Done()
		fmt.Println("booking", amount, "- may go on:", ctx.Err() == nil)
		return ctx.Err()
	}
	err = l.Do(stopping, func(ctx context.Context, held *lock.Held) error {
		for _, amount := range []int{100, 200} {
			if !held.Valid() { // no new one is begun
				return nil
			}
			if err := book(held.DrainContext(), held, amount); err != nil { // this one is finished
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// booking 100 - may go on: true
	// <nil>
}
