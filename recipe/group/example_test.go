package group_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/group"
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

// A service registers the address under which it is reached, and another one looks it up.
func Example() {
	ctx, client, done := connect()
	defer done()
	g, err := group.New(client, "/workers", group.Config{ID: "host-a", Data: []byte("10.0.0.1:80")})
	if err != nil {
		log.Fatal(err)
	}
	m, err := g.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	list := g.Watch()
	defer list.Close()
	now, err := list.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range now.Members {
		fmt.Printf("%s at %s\n", e.ID, e.Data)
	}
	if err := m.Set(ctx, []byte("10.0.0.1:81")); err != nil {
		log.Fatal(err)
	}
	now, err = list.Fresh(ctx) // has what was done before
	if err != nil {
		log.Fatal(err)
	}
	e, _ := now.ByID("host-a")
	fmt.Printf("then at %s, known for less than a minute: %v\n", e.Data, now.Age() < time.Minute)
	if err := m.Leave(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// host-a at 10.0.0.1:80
	// then at 10.0.0.1:81, known for less than a minute: true
}

// A worker works at what was handed out to its znode, which the token names, for as long as it is
// sure to be listed by that.
func ExampleMember_Listing() {
	ctx, client, done := connect()
	defer done()
	g, err := group.New(client, "/workers", group.Config{ID: "host-a"})
	if err != nil {
		log.Fatal(err)
	}
	m, err := g.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	list := g.Watch()
	defer list.Close()
	now, err := list.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	handedTo := now.Members[0].Token // by the process that hands out work
	listing, err := m.Listing(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for i := 1; i <= 2 && listing.Token() == handedTo && listing.Valid(); i++ {
		fmt.Println("piece", i)
	}
	fmt.Println(listing.Context().Err() == nil, listing.Node())
	// Output:
	// piece 1
	// piece 2
	// true /workers/host-a
}

// A second process comes with the same ID: the first one is told.
func ExampleMember_Context() {
	ctx, client, done := connect()
	defer done()
	cfg := group.Config{ID: "host-a", OnEvent: func(e group.Event) {
		switch e.Kind {
		case group.EventListed, group.EventUnlisted, group.EventFailed, group.EventOver: // for metrics
		}
	}}
	g, err := group.New(client, "/workers", cfg)
	if err != nil {
		log.Fatal(err)
	}
	first, err := g.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := g.Join(ctx); err != nil { // elsewhere
		log.Fatal(err)
	}
	<-first.Context().Done()
	fmt.Println(errors.Is(context.Cause(first.Context()), group.ErrReplaced), first.Valid())
	// Output: true false
}

// Members that Python's kazoo reads, and its members.
func ExampleStyle() {
	ctx, client, done := connect()
	defer done()
	for _, style := range []group.Style{group.StyleNamed, group.StyleParty, group.StyleShallow} {
		g, err := group.New(client, "/party", group.Config{ID: "by " + string(style), Style: style})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := g.Join(ctx); err != nil {
			log.Fatal(err)
		}
	}
	all, err := group.New(client, "/party", group.Config{})
	if err != nil {
		log.Fatal(err)
	}
	list := all.Watch()
	defer list.Close()
	now, err := list.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range now.Members {
		fmt.Println(e.ID)
	}
	// Output:
	// by named
	// by party
	// by shallow
}

// A test of a worker's code takes milliseconds: an ensemble runs inside the test, a session is
// expired there, and another member leaves. The worker hears of both.
func Example_testing() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // in a test: zktest.Start(t)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	other, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	join := func(c *session.Client, id string) (*group.Group, *group.Member) {
		g, err := group.New(c, "/workers", group.Config{ID: id})
		if err != nil {
			log.Fatal(err)
		}
		m, err := g.Join(ctx)
		if err != nil {
			log.Fatal(err)
		}
		return g, m
	}
	g, worker := join(client, "worker")
	_, second := join(other, "other")
	list := g.Watch()
	defer list.Close()

	listing, _ := worker.Listing(ctx)
	e.ExpireSession(client.Status().Session) // the loss of a membership
	<-listing.Context().Done()
	next, err := worker.Listing(ctx)
	fmt.Println("listed again:", err == nil && next.Token() > listing.Token())

	second.Leave(ctx) // the departure of another member
	now, err := list.Fresh(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("members:", len(now.Members))
	st := worker.Status()
	fmt.Println("znodes:", st.Znodes)
	// Output:
	// listed again: true
	// members: 1
	// znodes: 2
}
