package election_test

import (
	"context"
	"log/slog"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// A service that works while it leads. The README shows the body of serve.
func Example() {
	if err := serve(context.Background()); err != nil {
		slog.Error("it cannot lead", "err", err)
	}
}

func serve(ctx context.Context) error {
	client, err := session.Open("zk1:2181,zk2:2181,zk3:2181/app", session.Config{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer client.Close()
	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		return err
	}
	return el.Run(ctx, func(ctx context.Context, term *election.Term) error {
		for term.Valid() { // ask right before each piece of work
			charge(term.DrainContext(), term.Token()) // finishes what has begun; the database refuses older tokens
		}
		return context.Cause(ctx) // why the term is over
	})
}

// charge charges the next customer.
func charge(context.Context, int64) {}
