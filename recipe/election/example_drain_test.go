package election_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// A service that is told to stop finishes the unit of work in progress. Nobody else leads
// meanwhile.
func ExampleTerm_DrainContext() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/invoices", election.Config{DrainTimeout: 20 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background()) // in a service: signal.NotifyContext
	send := func(ctx context.Context, term *election.Term, invoice string) error {
		stop() // the signal comes while an invoice is sent
		<-term.Context().Done()
		fmt.Println("sending", invoice, "- may go on:", ctx.Err() == nil)
		return ctx.Err()
	}
	err = el.Run(stopping, func(ctx context.Context, term *election.Term) error {
		for _, invoice := range []string{"17", "18"} {
			if !term.Valid() { // no new one is begun
				return context.Cause(ctx)
			}
			if err := send(term.DrainContext(), term, invoice); err != nil { // this one is finished
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// sending 17 - may go on: true
	// context canceled
}
