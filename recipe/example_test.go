package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// An operator sets the longest lease of an election before the first candidate comes. One whose
// lease is longer must not stand there: the others would not wait for it long enough.
func ExampleLeaseError() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{Lease: session.DefaultLease})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureNode(ctx, "/billing", []byte("zkrecipe line 1\nlease 1s\n"), nil); err != nil {
		log.Fatal(err)
	}

	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = el.Campaign(ctx)
	var tooLong *recipe.LeaseError
	if errors.As(err, &tooLong) {
		fmt.Println(tooLong.Path, tooLong.Lease, "is more than", tooLong.Allowed)
	}
	// Output: /billing 4s is more than 1s
}
