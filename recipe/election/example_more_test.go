package election_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// The line of succession, for a tool or a page.
func ExampleElection_Candidates() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/primary", election.Config{ID: "host-1"})
	if err != nil {
		log.Fatal(err)
	}
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	line, err := el.Candidates(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for i, c := range line {
		fmt.Println(i, c.ID, c.Token == term.Token())
	}
	term.Release(context.Background())
	// Output: 0 host-1 true
}

// A leader that is reached elsewhere from now on tells everybody who looks for it.
func ExampleTerm_Proclaim() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/primary", election.Config{Data: []byte("10.1.2.3:8080")})
	if err != nil {
		log.Fatal(err)
	}
	observer := el.Observe()
	defer observer.Close()
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for address := ""; address != "10.1.2.3:8081"; {
		leader, err := observer.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		switch address = string(leader.Data); address {
		case "10.1.2.3:8080":
			fmt.Println("old address")
			if err := term.Proclaim(context.Background(), []byte("10.1.2.3:8081")); err != nil {
				log.Fatal(err)
			}
		case "10.1.2.3:8081":
			fmt.Println("new address")
		}
	}
	term.Release(context.Background())
	// Output:
	// old address
	// new address
}

// What a candidate is doing, for a health check or a metric of one's own.
func ExampleElection_Status() {
	client, done := connect()
	defer done()
	el, err := election.New(client, "/primary", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	describe := func() {
		switch st := el.Status(); st.State {
		case election.StateLeading:
			fmt.Println("leads, token known:", st.Token > 0)
		case election.StateIdle:
			fmt.Println("does not run; last term:", st.LastReason.String())
		default:
			fmt.Println(st.State, "behind", st.Position, st.Err, el.Client().Status().Servers)
		}
	}
	el.Run(context.Background(), func(context.Context, *election.Term) error {
		describe()
		return election.ErrStop
	})
	describe()
	// Output:
	// leads, token known: true
	// does not run; last term: stopped
}
