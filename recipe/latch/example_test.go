package latch_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/latch"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Traffic begins when each of three shards is loaded. A shard that is loaded twice, because its
// process was restarted, counts once.
func Example() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute}) // a service has an ensemble of its own
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := latch.New(client, "/search/loaded", 3, latch.Config{})
	if err != nil {
		log.Fatal(err)
	}
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		for _, shard := range []string{"0", "1", "1", "2"} { // each would be another process
			if err := l.CountDown(ctx, "shard-"+shard); err != nil {
				log.Fatal(err)
			}
		}
	}()
	if err := l.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	<-loaded
	left, err := l.Count(ctx)
	fmt.Println("traffic begins,", left, "shards are missing,", latch.MaxParties, "are possible", err)
	// Output: traffic begins, 0 shards are missing, 5000 are possible <nil>
}
