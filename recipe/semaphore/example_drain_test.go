package semaphore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// The client is closed while a holder works. Close waits for the release, and nobody else has the
// permit meanwhile.
func ExamplePermit_DrainContext() {
	client, done := connect()
	defer done()
	sem, err := semaphore.New(client, "/exports", 1, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := sem.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { client.Close(); close(closed) }()
	<-permit.Context().Done()
	fmt.Println("valid:", permit.Valid(), "- may finish:", permit.DrainContext().Err() == nil)
	permit.Release(context.Background())
	<-closed
	// Output: valid: false - may finish: true
}
