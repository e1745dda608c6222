package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The answer to a write is lost. After the Fence the write has happened or never will, and the read
// tells which. Without it, the write could still be carried out after the read.
func ExampleSession_Fence() {
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
	if err := s.EnsurePath(ctx, "/limit", nil); err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureHeartbeat(ctx); err != nil {
		log.Fatal(err)
	}

	e.On(zktest.Match{Op: zktest.OpMulti, Nth: 1}, zktest.LoseReply)
	_, err = s.FencedMulti(ctx, &zk.SetDataRequest{Path: "/limit", Data: []byte("10"), Version: -1})
	fmt.Println(session.OutcomeOf(err))
	if err := s.Fence(ctx); err != nil {
		log.Fatal(err) // of ctx, or the session is over
	}
	data, stat, err := s.Get(ctx, "/limit")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, version %d\n", data, stat.Version)
	// Output:
	// unknown
	// 10, version 1
}
