package watch_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

var connect = "localhost:2181"

// A job waits until the maintenance flag has been taken away.
func ExampleGone() {
	client, err := session.Open(connect, session.Config{})
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
	if err := watch.Gone(ctx, s, "/maintenance"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("maintenance is over")
}

// A service acts upon its configuration, and upon every later one.
func ExampleNode() {
	client, err := session.Open(connect, session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	n := watch.NewNode(s, "/config")
	defer n.Stop()
	for {
		state, err := n.Next(ctx)
		if err != nil { // of a real service: take the client's next session, unless ctx has ended
			return
		}
		fmt.Printf("configuration, version %d: %s\n", state.Stat.Version, state.Data)
	}
}

// A member of a group learns who the others are.
func ExampleChildren() {
	client, err := session.Open(connect, session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := watch.NewChildren(s, "/members")
	defer c.Stop()
	for {
		list, err := c.Next(ctx)
		if err != nil {
			return
		}
		fmt.Println("members:", list.Names)
	}
}
