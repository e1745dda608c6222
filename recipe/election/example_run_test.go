package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// connect returns a client of an ensemble inside this process. A service has the connect string of
// its own ensemble here.
func connect() (client *session.Client, done func()) {
	ensemble, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(ensemble.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.Close(); ensemble.Close() }
}

// A service that works while it leads, until it is told to stop.
func ExampleElection_Run() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/billing", election.Config{ID: "host-1"})
	if err != nil {
		log.Fatal(err)
	}
	customers := []string{"ann", "bob"}
	err = el.Run(context.Background(), func(ctx context.Context, term *election.Term) error {
		for _, c := range customers {
			if !term.Valid() { // right before each piece of work
				return context.Cause(ctx)
			}
			fmt.Println("charging", c) // with term.Token(), which the database compares
		}
		return election.ErrStop // all is done; other returns mean to enter the line again
	})
	fmt.Println(err)
	// Output:
	// charging ann
	// charging bob
	// <nil>
}

// Any number of functions may hear of what happens to a candidate.
func ExampleElection_Subscribe() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/reports", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	terms := 0
	stop := el.Subscribe(func(ev election.Event) {
		if ev.Kind == election.EventElected {
			terms++
		}
	})
	defer stop()
	el.Subscribe(func(ev election.Event) {
		if ev.Kind == election.EventDeposed {
			fmt.Println("over:", ev.Reason.String())
		}
	})
	err = el.Run(context.Background(), func(context.Context, *election.Term) error { return election.ErrStop })
	fmt.Println(terms, "term", err) // Run returns when all events have been delivered
	// Output:
	// over: stopped
	// 1 term <nil>
}

// Leading in steps, where a callback does not fit.
func ExampleElection_Campaign() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/migration", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	waiting, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	term, err := el.Campaign(waiting)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("leading:", term.Valid())
	if err := term.Release(context.Background()); err != nil { // the work has stopped
		log.Fatal(err)
	}
	fmt.Println("leading:", term.Valid(), "because:", context.Cause(term.Context()))
	// Output:
	// leading: true
	// leading: false because: recipe: not held any more: released
}

// Writing to ZooKeeper itself so that it can never land in a later term.
func ExampleTerm_Multi() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/jobs", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	next := &zk.CreateRequest{Path: "/next-job", Data: []byte("17")}
	_, err = term.Multi(context.Background(), next)
	fmt.Println("while leading:", err)

	term.Release(context.Background())
	_, err = term.Multi(context.Background(), next)
	fmt.Println("afterwards:", errors.Is(err, recipe.ErrNotHeld))
	// Output:
	// while leading: <nil>
	// afterwards: true
}

// Finding the leader from outside, for instance to send it a request.
func ExampleObserver_Next() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/primary", election.Config{ID: "host-1", Data: []byte("10.1.2.3:8080")})
	if err != nil {
		log.Fatal(err)
	}
	observer := el.Observe() // a process that never stands has an Election, too
	defer observer.Close()
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	var leader election.Candidate
	for leader.Node == "" { // nobody leads yet
		if leader, err = observer.Next(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%s leads, at %s; the same: %v\n", leader.ID, leader.Data, leader.Token == term.Token())
	term.Release(context.Background())
	// Output: host-1 leads, at 10.1.2.3:8080; the same: true
}
