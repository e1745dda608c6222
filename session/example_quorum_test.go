package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The answer to a write is lost. Without QuorumSync, a server that does not know of the write could
// answer the read, or the read could be answered before the write is carried out.
func ExampleSession_QuorumSync() {
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

	e.On(zktest.Match{Op: zktest.OpSetData, Nth: 1}, zktest.LoseReply)
	_, err = s.Set(ctx, "/limit", []byte("10"), 0)
	fmt.Println(session.OutcomeOf(err))
	if _, err := s.QuorumSync(ctx, "/limit"); err != nil {
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
