package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A program keeps a copy of two znodes. When one changes, the event says which.
func ExampleSession_WatchTree() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
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
	if err := s.EnsurePath(ctx, "/app/a", nil); err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	w := s.WatchTree("/app", 0, true, wake)
	defer w.Stop()
	restore := func() { // a new connection has none of the watches
		if w.Armed() {
			return
		}
		if err := w.Restore(ctx, w.Connection(), nil, nil); err != nil {
			log.Fatal(err)
		}
	}
	restore()
	for _, path := range []string{"/app", "/app/a"} {
		if _, _, _, err := w.Get(ctx, path); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := s.Set(ctx, "/app/a", []byte("1"), -1); err != nil { // somebody else would
		log.Fatal(err)
	}
	<-wake // after an event, and after a reconnect
	restore()
	for _, ev := range w.Events() {
		fmt.Println(ev.Type, ev.Path, w.Armed())
	}
	fmt.Println("one watch for all:", w.Covered() == w.Connection()) // the servers can do that
	// Output:
	// EventNodeDataChanged /app/a true
	// one watch for all: true
}
