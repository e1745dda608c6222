package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// again works with one permit after another until ctx ends, or an error is not about the loss of a
// permit.
func again(ctx context.Context, sem *semaphore.Semaphore, work func(context.Context, *semaphore.Permit) error) error {
	for {
		err := sem.Do(ctx, work)
		var lost *recipe.EndedError
		if ctx.Err() != nil || !errors.As(err, &lost) || lost.Reason.Chosen() {
			return err
		}
	}
}

// A worker that has a slot for as long as it runs. When it has lost the slot, it gets another one.
func ExampleSemaphore_Do_again() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // a service has an ensemble of its own
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	workers, err := semaphore.New(client, "/workers", 1024, semaphore.Config{Slots: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	times := 0
	err = again(ctx, workers, func(ctx context.Context, permit *semaphore.Permit) error {
		if times++; times == 2 {
			fmt.Println("another slot:", permit.Slot().Valid())
			stop()
			return nil
		}
		fmt.Println("a slot:", permit.Slot().Valid())
		e.ExpireSession(client.Status().Session)
		<-ctx.Done()
		return context.Cause(ctx) // why
	})
	fmt.Println(err)
	// Output:
	// a slot: true
	// another slot: true
	// <nil>
}
