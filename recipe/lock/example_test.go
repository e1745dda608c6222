package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// example returns a client of an ensemble in this process.
func example() (client *session.Client, done func()) {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.Close(); e.Close() }
}

func Example() {
	client, done := example()
	defer done()
	l, err := lock.New(client, "/accounts/7", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	err = l.Do(ctx, func(ctx context.Context, held *lock.Held) error {
		fmt.Println("held:", held.Valid(), "with a token:", held.Token() > 0)
		return nil
	})
	var ended *recipe.EndedError
	switch {
	case errors.As(err, &ended) && !ended.Reason.Chosen():
		fmt.Println("another may have held it meanwhile:", err)
	case err != nil:
		log.Fatal(err)
	}
	// Output: held: true with a token: true
}

// A lock that is held beyond one function, with a write that ZooKeeper itself guards.
func ExampleLock_Acquire() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := lock.New(client, "/jobs/backup", lock.Config{
		ID: "worker-1", Data: []byte("10.0.0.7"), Style: lock.StyleCurator,
		StopBefore: 500 * time.Millisecond, DrainTimeout: 5 * time.Second, Cleanup: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	held, err := l.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer held.Release(ctx)

	_, err = held.Multi(held.Context(), &zk.CreateRequest{Path: "/backup-done", Acl: zk.WorldACL(zk.PermAll)})
	if errors.Is(err, recipe.ErrNotHeld) {
		fmt.Println("the lock was lost, and nothing was written")
	}
	fmt.Println(l.Path(), held.Remaining() > 0, held.Deadline().After(time.Now()), held.Node() != "", err)
	// Output: /jobs/backup true true true <nil>
}

func ExampleLock_TryAcquire() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := lock.New(client, "/nightly", lock.Config{Style: lock.StyleKazoo})
	if err != nil {
		log.Fatal(err)
	}
	first, err := l.TryAcquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = l.TryAcquire(ctx)
	fmt.Println(errors.Is(err, lock.ErrBusy))
	// Under the context of what is held, waiting would never end.
	_, err = l.Acquire(first.Context())
	fmt.Println(errors.Is(err, lock.ErrNested))
	fmt.Println(first.Release(ctx))
	// Output:
	// true
	// true
	// <nil>
}

// A holder releases the lock when somebody asks for it.
func ExampleLock_Revoke() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	batch, err := lock.New(client, "/index", lock.Config{
		ID:       "batch",
		OnRevoke: func(held *lock.Held) { held.Release(context.Background()) },
	})
	if err != nil {
		log.Fatal(err)
	}
	held, err := batch.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	urgent, err := lock.New(client, "/index", lock.Config{ID: "urgent"})
	if err != nil {
		log.Fatal(err)
	}
	contenders, err := urgent.Contenders(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range contenders {
		fmt.Println(c.ID, "has it:", c.Token == held.Token())
	}
	if err := urgent.Revoke(ctx); err != nil {
		log.Fatal(err)
	}
	next, err := urgent.Acquire(ctx)
	fmt.Println(next.Valid(), err)
	next.Release(ctx)
	// Output:
	// batch has it: true
	// true <nil>
}

func ExampleRW() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rw, err := lock.NewRW(client, "/config", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	writer, err := rw.Write().Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// It has written, and goes on reading what it has written. Nobody writes in between.
	reader, err := writer.Downgrade(ctx)
	if err != nil {
		log.Fatal(err)
	}
	another, err := rw.Read().TryAcquire(ctx)
	fmt.Println(reader.Valid(), another.Valid(), err)
	_, err = rw.Write().Acquire(reader.Context())
	fmt.Println(errors.Is(err, lock.ErrUpgrade))
	another.Release(ctx)
	reader.Release(ctx)
	// Output:
	// true true <nil>
	// true
}

// Money is moved between two accounts. Somebody who moves it in the other direction does not wait
// for ever, because both lines are joined at once.
func ExampleAll() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var locks []*lock.Lock
	for _, path := range []string{"/accounts/1", "/accounts/2"} {
		l, err := lock.New(client, path, lock.Config{})
		if err != nil {
			log.Fatal(err)
		}
		locks = append(locks, l)
	}
	set, err := lock.All(ctx, locks...)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Release(ctx)
	for _, held := range set.Held() {
		fmt.Println(held.Valid())
	}
	_, err = set.Multi(set.Context(), &zk.CreateRequest{Path: "/moved", Acl: zk.WorldACL(zk.PermAll)})
	fmt.Println(set.Valid(), set.Remaining() > 0, err)
	// Output:
	// true
	// true
	// true true <nil>
}

// Programs with Curator's InterProcessMultiLock take the locks of two accounts, the smaller number
// first. So does this one.
func ExampleInTurn() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	one, err := lock.New(client, "/accounts/1", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	two, err := lock.New(client, "/accounts/2", lock.Config{})
	if err != nil {
		log.Fatal(err)
	}
	set, err := lock.InTurn(ctx, one, two)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Release(ctx)
	fmt.Println(set.Valid(), len(set.Held()))
	// Output: true 2
}

// What happens is told in order.
func ExampleEvent() {
	client, done := example()
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left := make(chan struct{})
	l, err := lock.New(client, "/told", lock.Config{OnEvent: func(ev lock.Event) {
		switch ev.Kind {
		case lock.EventJoined:
			fmt.Println(ev.Kind, ev.Position)
		case lock.EventAcquired:
			fmt.Println(ev.Kind, ev.Token == ev.Held.Token())
		case lock.EventEnded:
			fmt.Println(ev.Kind, ev.Reason.String())
		case lock.EventLeft:
			fmt.Println(ev.Kind, ev.Err)
			close(left)
		case lock.EventFailed, lock.EventBlocked, lock.EventTookOver, lock.EventWithheld, lock.EventImpaired, lock.EventRevoked:
			fmt.Println(ev.Kind, ev.Err, ev.Node, ev.Delay)
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	if err := l.Do(ctx, func(context.Context, *lock.Held) error { return nil }); err != nil {
		log.Fatal(err)
	}
	<-left
	// Output:
	// joined 0
	// acquired true
	// ended released
	// left <nil>
}
