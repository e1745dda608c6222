package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/barrier"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// connect returns a client of an ensemble inside this process. A service opens its client once,
// with the connect string of its own ensemble.
func connect() (ctx context.Context, client *session.Client, done func()) {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	return ctx, client, func() { cancel(); client.Close(); e.Close() }
}

// A worker waits while a migration is under way.
func ExampleBarrier() {
	ctx, client, done := connect()
	defer done()
	b, err := barrier.New(client, "/migration", barrier.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Raise(ctx); err != nil {
		log.Fatal(err)
	}
	lowered := make(chan error)
	go func() { // somebody else would
		fmt.Println("the migration is over")
		lowered <- b.Lower(ctx)
	}()
	if err := b.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the worker begins")
	if err := <-lowered; err != nil { // the event comes before the answer
		log.Fatal(err)
	}
	// Output:
	// the migration is over
	// the worker begins
}

// Three begin a load test at the same time, and nobody reports before all have finished.
func ExampleDouble() {
	ctx, client, done := connect()
	defer done()
	d, err := barrier.NewDouble(client, "/load-test", 3, barrier.Config{})
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for range 3 { // each would be another process
		all.Go(func() {
			round, err := d.Enter(ctx)
			switch {
			case errors.Is(err, barrier.ErrFull):
				log.Fatal("there is a fourth")
			case errors.Is(err, barrier.ErrDisagree):
				log.Fatal("somebody was started for another number than three")
			case err != nil:
				log.Fatal(err)
			}
			test(round.Context())
			if err := round.Leave(ctx); err != nil {
				log.Fatal(err)
			}
			fmt.Println("all have finished")
		})
	}
	all.Wait()
	// Output:
	// all have finished
	// all have finished
	// all have finished
}

// test ends early if this member is not surely inside any more.
func test(ctx context.Context) {
	if ctx.Err() != nil {
		log.Print(context.Cause(ctx))
	}
}
