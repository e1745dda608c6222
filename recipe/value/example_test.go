package value_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// demo returns a client of servers in this process.
func demo() (client *session.Client, stop func()) {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.Close(); e.Close() }
}

// Each order gets a number of its own. A block of numbers costs one write.
func ExampleCounter_Reserve() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	n, err := value.NewCounter(client, "/orders/last", value.CounterConfig{})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		first, err := n.Reserve(ctx, 1000)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(first, "to", first+999)
	}
	// Output:
	// 1 to 1000
	// 1001 to 2000
}

// What came of an addition is known, or said to be unknown.
func ExampleCounter_Add() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	n, err := value.NewCounter(client, "/visits", value.CounterConfig{})
	if err != nil {
		log.Fatal(err)
	}
	sum, err := n.Add(ctx, 5)
	var unknown *value.UnknownError
	switch {
	case err == nil:
		fmt.Println("now", sum)
	case errors.As(err, &unknown):
		fmt.Println("perhaps from", unknown.From, "to", unknown.To, "because of", unknown.Err)
	default:
		fmt.Println("not added:", err)
	}
	now, err := n.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now, n.Counts().Changes)
	// Output:
	// now 5
	// 5 1
}

// Counters of Curator and kazoo may be used by ours at the same time. Numbers that do not fit are
// refused, and so is what is no number.
func ExampleEncoding() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	for _, encoding := range []value.Encoding{value.EncodingDecimal, value.EncodingInt64, value.EncodingInt32} {
		path := fmt.Sprintf("/count-%d", encoding)
		n, err := value.NewCounter(client, path, value.CounterConfig{Encoding: encoding, Initial: 1 << 30})
		if err != nil {
			log.Fatal(err)
		}
		_, err = n.Add(ctx, 1<<30)
		var overflow *value.OverflowError
		fmt.Println(encoding, "- an overflow:", errors.As(err, &overflow))
	}
	n, err := value.NewCounter(client, "/count-0", value.CounterConfig{Encoding: value.EncodingInt64})
	if err != nil {
		log.Fatal(err)
	}
	_, err = n.Get(ctx)
	var format *value.FormatError
	fmt.Println("the wrong encoding:", errors.As(err, &format))
	// Output:
	// a decimal number - an overflow: false
	// 8 bytes - an overflow: false
	// 4 bytes - an overflow: true
	// the wrong encoding: true
}

func ExampleCounter_CompareAndSet() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	n, err := value.NewCounter(client, "/stage", value.CounterConfig{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n.CompareAndSet(ctx, 0, 1))
	err = n.CompareAndSet(ctx, 0, 2)
	var conflict *value.ConflictError
	fmt.Println(errors.As(err, &conflict), conflict.Count)
	// Output:
	// <nil>
	// true 1
}

// A value is replaced only where it is still the one that was read.
func ExampleValue_CompareAndSet() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	v, err := value.New(client, "/config/limit", value.Config{})
	if err != nil {
		log.Fatal(err)
	}
	first, err := v.CompareAndSet(ctx, value.Versioned{}, []byte("10")) // it does not exist yet
	if err != nil {
		log.Fatal(err)
	}
	second, err := v.CompareAndSet(ctx, first, []byte("20"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = v.CompareAndSet(ctx, first, []byte("30"))
	var conflict *value.ConflictError
	switch {
	case errors.As(err, &conflict):
		fmt.Printf("it is %s, %v\n", conflict.Now.Data, conflict.Now.Zxid == second.Zxid)
	case errors.Is(err, value.ErrVersion):
		fmt.Println("somebody has to set the znode by hand")
	}
	// Output: it is 20, true
}

// Update goes on until nobody else was faster.
func ExampleValue_Update() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	v, err := value.New(client, "/config/hosts", value.Config{ACL: zk.WorldACL(zk.PermAll)})
	if err != nil {
		log.Fatal(err)
	}
	for _, host := range []string{"a", "b"} {
		_, err := v.Update(ctx, func(old []byte) ([]byte, error) { return append(old, host+" "...), nil })
		if err != nil {
			log.Fatal(err)
		}
	}
	now, err := v.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", now.Data)
	// Output: a b
}

// A service follows a value.
func ExampleValue_Watch() {
	client, stop := demo()
	defer stop()
	ctx := context.Background()

	v, err := value.New(client, "/config/limit", value.Config{})
	if err != nil {
		log.Fatal(err)
	}
	w := v.Watch()
	defer w.Stop()
	for range 2 {
		now, err := w.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("exists: %v %q\n", now.Exists(), now.Data)
		if !now.Exists() {
			if _, err := v.CompareAndSet(ctx, now, []byte("10")); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// exists: false ""
	// exists: true "10"
}
