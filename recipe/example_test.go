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

// Why a term ended, and whether somebody else may lead already.
func ExampleEnded() {
	e, err := zktest.New(zktest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	el, err := election.New(client, "/primary", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	s, err := client.Session(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Delete(context.Background(), term.Node(), -1); err != nil { // somebody's clean-up job
		log.Fatal(err)
	}
	<-term.Context().Done()
	var ended *recipe.Ended
	if errors.As(context.Cause(term.Context()), &ended) {
		fmt.Println(ended.Reason.String(), "- by our own choice:", ended.Reason.Chosen())
	}
	term.Release(context.Background())
	// Output: node deleted - by our own choice: false
}
