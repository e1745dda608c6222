package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
	"github.com/zkrecipe/zkrecipe/watch"
)

// connect returns a session with an ensemble inside this process. A service opens its client once,
// with the connect string of its own ensemble, and takes the client's next session when a wait ends
// because this one is over.
func connect() (ctx context.Context, s *session.Session, done func()) {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	if s, err = client.Session(ctx); err != nil {
		log.Fatal(err)
	}
	return ctx, s, func() { cancel(); client.Close(); e.Close() }
}

// A job waits until the maintenance flag has been taken away.
func ExampleGone() {
	ctx, s, done := connect()
	defer done()
	if err := s.EnsurePath(ctx, "/maintenance", nil); err != nil {
		log.Fatal(err)
	}
	deleted := make(chan error)
	go func() { // somebody else would
		fmt.Println("maintenance ends")
		deleted <- s.Delete(ctx, "/maintenance", -1)
	}()
	if err := watch.Gone(ctx, s, "/maintenance"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the job begins")
	if err := <-deleted; err != nil { // the event comes before the answer
		log.Fatal(err)
	}
	// Output:
	// maintenance ends
	// the job begins
}

// A service acts upon its configuration, and upon every later one.
func ExampleNode() {
	ctx, s, done := connect()
	defer done()
	n := watch.NewNode(s, "/config")
	defer n.Stop()
	for {
		state, err := n.Next(ctx)
		if errors.Is(err, watch.ErrStopped) { // by somebody else's Stop
			fmt.Println("stopped")
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case !state.Exists: // the defaults count
			fmt.Println("no configuration")
			err = s.EnsurePath(ctx, "/config", nil)
		case state.Stat.Version == 0:
			_, err = s.Set(ctx, "/config", []byte("workers=4"), -1)
		default:
			fmt.Printf("configuration: %s\n", state.Data)
			n.Stop()
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// no configuration
	// configuration: workers=4
	// stopped
}

// A member of a group learns who the others are.
func ExampleChildren() {
	ctx, s, done := connect()
	defer done()
	c := watch.NewChildren(s, "/members")
	defer c.Stop()
	for {
		list, err := c.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("members:", len(list.Names))
		if len(list.Names) == 2 {
			return
		}
		// Each would be another process; its end takes its znode away.
		if _, err := s.CreateProtected(ctx, "/members", "member-", nil, nil); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// members: 0
	// members: 1
	// members: 2
}
