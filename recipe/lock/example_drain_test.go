package lock_test

import (
	"context"
	"fmt"
	"log"

	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// The context of Do ends while a step is in progress. The step is finished, and nobody else has the
// lock meanwhile.
func ExampleHeld_DrainContext() {
	client, done := example()
	defer done()
	l, err := lock.New(client, "/accounts/8", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	book := func(ctx context.Context, held *lock.Held, amount int) error {
		stop() // while an amount is booked
		<-held.Context().Done()
		fmt.Println("booking", amount, "- may go on:", ctx.Err() == nil)
		return ctx.Err()
	}
	err = l.Do(stopping, func(ctx context.Context, held *lock.Held) error {
		for _, amount := range []int{100, 200} {
			if !held.Valid() { // no new one is begun
				return nil
			}
			if err := book(held.DrainContext(), held, amount); err != nil { // this one is finished
				return err
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// booking 100 - may go on: true
	// <nil>
}

// The client is closed while money is moved between two accounts. Both steps are done, and nobody
// else has any of the locks meanwhile.
func ExampleSet_DrainContext() {
	client, done := example()
	defer done()
	var locks []*lock.Lock
	for _, path := range []string{"/accounts/11", "/accounts/12"} {
		l, err := lock.New(client, path, lock.Config{})
		if err != nil {
			log.Fatal(err)
		}
		locks = append(locks, l)
	}
	set, err := lock.All(context.Background(), locks...)
	if err != nil {
		log.Fatal(err)
	}
	closed := make(chan error)
	move := func(ctx context.Context) error {
		fmt.Println("from", locks[0].Path())
		go func() { closed <- client.Close() }() // in between
		<-set.Context().Done()
		if err := ctx.Err(); err != nil { // one of the locks is lost
			return err
		}
		fmt.Println("to", locks[1].Path())
		return nil
	}
	if set.Valid() {
		fmt.Println(move(set.DrainContext()))
	}
	fmt.Println("may begin another:", set.Valid())
	fmt.Println(set.Release(context.Background()), <-closed) // Close has waited for that
	// Output:
	// from /accounts/11
	// to /accounts/12
	// <nil>
	// may begin another: false
	// <nil> <nil>
}
