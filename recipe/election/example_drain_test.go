package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// A program that is told to stop finishes the bill in hand. The next leader waits for it, up to DrainTimeout.
func ExampleElection_Run_drain() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/billing", election.Config{DrainTimeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	ctx, sigterm := context.WithCancel(context.Background()) // a program has signal.NotifyContext here
	err = el.Run(ctx, func(leading context.Context, term *election.Term) error {
		for n := 1; term.Valid(); n++ {
			err := finish(leading, 5*time.Second, func(ctx context.Context) error {
				if n == 2 {
					sigterm()
					<-leading.Done()
				}
				fmt.Println("bill", n)
				return ctx.Err()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// bill 1
	// bill 2
	// context canceled
}

// finish gives a unit of work its time, also when the program is told to stop. That time is shorter than DrainTimeout.
// If the term is lost, the unit is cancelled, because another may lead soon.
func finish(leading context.Context, within time.Duration, unit func(context.Context) error) error {
	working, cancel := context.WithTimeout(context.WithoutCancel(leading), within)
	defer cancel()
	defer context.AfterFunc(leading, func() {
		var ended *recipe.Ended
		if errors.As(context.Cause(leading), &ended) && !ended.Reason.Chosen() {
			cancel()
		}
	})()
	return unit(working)
}
