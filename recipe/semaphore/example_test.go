package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
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

// At most ten reports are made at a time, in the whole fleet.
func ExampleSemaphore_Acquire() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	sem, err := semaphore.New(client, "/reports", 10, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := sem.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer permit.Release(ctx)
	for _, page := range []string{"summary", "details"} {
		if !permit.Valid() { // right before each piece of work
			log.Fatal(context.Cause(permit.Context()))
		}
		fmt.Println("writing", page)
	}
	// Output:
	// writing summary
	// writing details
}

// The same as one function: the permit is released when the work has returned.
func ExampleSemaphore_Do() {
	client, done := connect()
	defer done()
	sem, err := semaphore.New(client, "/thumbnails", 10, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = sem.Do(context.Background(), func(ctx context.Context, permit *semaphore.Permit) error {
		fmt.Println("working:", permit.Valid())
		return ctx.Err()
	})
	fmt.Println(err)
	// Output:
	// working: true
	// <nil>
}

// A job that can be left out when all permits are taken.
func ExampleSemaphore_TryAcquire() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	sem, err := semaphore.New(client, "/cleanup", 1, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := sem.TryAcquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer permit.Release(ctx)
	_, err = sem.TryAcquire(ctx)
	fmt.Println(errors.Is(err, semaphore.ErrBusy))
	// Output: true
}

// Two graphics cards of four at once, and which they are.
func ExampleSemaphore_AcquireN() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	cards, err := semaphore.New(client, "/cards", 4, semaphore.Config{ID: "host-1", Slots: true})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := cards.AcquireN(ctx, 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, slot := range permit.Slots() {
		fmt.Println("card", slot.Number(), slot.Valid()) // with slot.Token(), if the card can refuse older ones
	}
	holders, err := cards.Holders(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range holders {
		fmt.Println(h.ID, h.Slots)
	}
	fmt.Println(permit.Release(ctx))
	// Output:
	// card 0 true
	// card 1 true
	// host-1 [0 1]
	// host-1 []
	// <nil>
}

// A number for this process that no other has at the same time.
func ExamplePermit_Slot() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	workers, err := semaphore.New(client, "/workers", 1024, semaphore.Config{Slots: true})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := workers.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer permit.Release(ctx)
	if slot := permit.Slot(); slot.Valid() { // before each use
		fmt.Println("worker", slot.Number())
	}
	// Output: worker 0
}

// Programs of a fleet must agree on the size. An operator may change it while they run.
func ExampleSemaphore_Resize() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	sem, err := semaphore.New(client, "/exports", 2, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := sem.Resize(ctx, 3); err != nil {
		log.Fatal(err)
	}
	other, err := semaphore.New(client, "/exports", 5, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = other.Acquire(ctx)
	var size *semaphore.SizeError
	if errors.As(err, &size) {
		fmt.Println(size.Size, "and not", size.Want)
	}
	follows, err := semaphore.New(client, "/exports", 0, semaphore.Config{}) // takes what the path holds
	if err != nil {
		log.Fatal(err)
	}
	permit, err := follows.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(follows.Size())
	permit.Release(ctx)
	// Output:
	// 3 and not 5
	// 3
}

// Somebody has written something else where the semaphore keeps its size.
func ExampleDataError() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureNode(ctx, "/jobs/leases", []byte("10"), nil); err != nil {
		log.Fatal(err)
	}
	sem, err := semaphore.New(client, "/jobs", 10, semaphore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = sem.Acquire(ctx)
	var data *semaphore.DataError
	if errors.As(err, &data) {
		fmt.Println(data.Path)
	}
	// Output: /jobs/leases
}

// What happens to the permits of a process.
func ExampleEvent() {
	client, done := connect()
	defer done()
	ctx := context.Background()
	events := make(chan semaphore.Event, 100)
	sem, err := semaphore.New(client, "/mails", 1, semaphore.Config{OnEvent: func(ev semaphore.Event) { events <- ev }})
	if err != nil {
		log.Fatal(err)
	}
	permit, err := sem.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	permit.Release(ctx)
	for ev := range events {
		switch ev.Kind {
		case semaphore.EventAcquired:
			fmt.Println(ev.Kind)
		case semaphore.EventEnded:
			fmt.Println(ev.Kind, ev.Reason.String())
		case semaphore.EventLeft:
			fmt.Println(ev.Kind)
			return
		}
	}
	// Output:
	// acquired
	// ended released
	// left
}

// A test of code with a permit takes milliseconds: an ensemble runs inside the test, and the
// session is expired there. Without an ensemble there is package recipetest.
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
	sem, err := semaphore.New(client, "/gpus", 4, semaphore.Config{Slots: true})
	if err != nil {
		log.Fatal(err)
	}
	stop := sem.Subscribe(func(semaphore.Event) { /* for an audit log of yours */ })
	defer stop()
	permit, err := sem.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(permit.Slot().Number(), permit.Slot().Valid())
	e.ExpireSession(client.Status().Session)
	<-permit.Context().Done()
	fmt.Println(permit.Slot().Number(), permit.Slot().Valid())
	permit.Release(context.Background())
	// Output:
	// 0 true
	// 0 false
}
