package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// An operator sets the longest lease of an election before the first candidate comes. One whose
// lease is longer must not stand there: the others would not wait for it long enough.
func ExampleLeaseError() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{Lease: session.DefaultLease})
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
	if err := s.EnsureNode(ctx, "/billing", []byte("zkrecipe line 1\nlease 1s\n"), nil); err != nil {
		log.Fatal(err)
	}

	el, err := election.New(client, "/billing", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = el.Campaign(ctx)
	var tooLong *recipe.LeaseError
	if errors.As(err, &tooLong) {
		fmt.Println(tooLong.Path, tooLong.Lease, "is more than", tooLong.Allowed)
	}
	// Output: /billing 4s is more than 1s
}

// A path that belongs to another user. To try again would not help, so Campaign does not.
func ExamplePermanentError() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureNode(context.Background(), "/payroll", nil, zk.DigestACL(zk.PermAll, "payroll", "secret")); err != nil {
		log.Fatal(err)
	}

	el, err := election.New(client, "/payroll", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = el.Campaign(context.Background())
	var refused *recipe.PermanentError
	if errors.As(err, &refused) {
		fmt.Println(refused.Path, "is not for us:", errors.Is(err, zk.ErrNoAuth))
	}
	// Output: /payroll is not for us: true
}

// Why a term ended, and whether somebody else may lead already.
func ExampleEndedError() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	el, err := election.New(client, "/primary", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	term, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	s, err := client.Session(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Delete(context.Background(), term.Node(), -1); err != nil { // somebody's clean-up job
		log.Fatal(err)
	}
	<-term.Context().Done()
	var ended *recipe.EndedError
	if errors.As(context.Cause(term.Context()), &ended) {
		fmt.Println(ended.Reason.String(), "- by our own choice:", ended.Reason.Chosen())
	}
	term.Release(context.Background())
	// Output: node deleted - by our own choice: false
}

// describe tells people the state of a lock or a semaphore.
func describe(st recipe.Status) {
	for _, c := range st.Claims {
		switch c.State {
		case recipe.ClaimWaiting:
			fmt.Println(st.Path, "waits, ahead:", c.Position)
		case recipe.ClaimHeld:
			fmt.Println(st.Path, "is held, the lease runs:", c.LeaseRemaining > 0)
		case recipe.ClaimEnding:
			fmt.Println(st.Path, "is over:", c.Reason)
		}
	}
}

// What a process holds of a lock, and what has become of it.
func ExampleStatus() {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	l, err := lock.New(client, "/index", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	stop := l.Subscribe(func(ev lock.Event) { /* for an audit log of yours */ })
	defer stop()
	held, err := l.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	describe(l.Status())
	held.Release(context.Background())
	st := l.Status()
	fmt.Println(len(st.Claims), st.Counts.Waited.Count, st.Counts.Ended[recipe.ReasonReleased])
	// Output:
	// /index is held, the lease runs: true
	// 0 1 1
}
