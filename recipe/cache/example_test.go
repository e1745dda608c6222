package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// start returns a client of an ensemble inside this process, which holds /config, and somebody
// else's session there.
func start() (ctx context.Context, client *session.Client, other *session.Session, stop func()) {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	other, err = client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/config", "/config/color", "/config/size"} {
		if _, err := other.Create(ctx, path, []byte("default"), zk.FlagPersistent, nil); err != nil {
			log.Fatal(err)
		}
	}
	return ctx, client, other, func() { cancel(); client.Close(); e.Close() }
}

// A service acts upon its configuration and upon each change of it.
func ExampleCache_Next() {
	ctx, client, other, stop := start()
	defer stop()
	c, err := cache.New(client, "/config", cache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for range 5 {
		change, err := c.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if change.Kind == cache.KindDeleted {
			fmt.Printf("%v %s\n", change.Kind, change.Path)
			continue
		}
		fmt.Printf("%v %s: %s\n", change.Kind, change.Path, change.Now.Data)
		switch { // somebody else makes the changes
		case change.Path == "/config/size":
			_, err = other.Set(ctx, "/config/color", []byte("red"), -1)
		case string(change.Now.Data) == "red":
			err = other.Delete(ctx, "/config/size", -1)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// created /config: default
	// created /config/color: default
	// created /config/size: default
	// changed /config/color: red
	// deleted /config/size
}

// Fresh makes a cache see what has been acknowledged before.
func ExampleCache_Fresh() {
	ctx, client, other, stop := start()
	defer stop()
	c, err := cache.New(client, "/config/color", cache.Config{Depth: cache.DepthNode})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := other.Set(ctx, "/config/color", []byte("blue"), -1); err != nil {
		log.Fatal(err)
	}
	if err := c.Fresh(ctx); err != nil {
		log.Fatal(err)
	}
	n, ok, err := c.Get(ctx, "/config/color")
	fmt.Println(string(n.Data), ok, err)
	// Output: blue true <nil>
}

// A snapshot has all znodes, and says for which moment it is proved.
func ExampleCache_Snapshot() {
	ctx, client, _, stop := start()
	defer stop()
	c, err := cache.New(client, "/config", cache.Config{
		Depth: cache.DepthChildren,
		Keep:  func(path string) bool { return !strings.HasSuffix(path, "/size") },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(s.Nodes), "znodes, not older than a minute:", s.Age() < time.Minute && time.Since(s.AsOf) < time.Minute)
	// Output: 2 znodes, not older than a minute: true
}

// A tree that has become too large ends its cache, rather than the process.
func ExampleNew() {
	ctx, client, _, stop := start()
	defer stop()
	c, err := cache.New(client, "/config", cache.Config{MaxNodes: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	var large *cache.TooLargeError
	if err := c.Wait(ctx); errors.As(err, &large) {
		fmt.Println(large)
	}
	fmt.Println(c.Err() != nil, c.Status().Loaded)
	// Output:
	// cache: too large at /config: 3 znodes; Config.MaxNodes is 2
	// true false
}

// A test of code that uses a cache takes milliseconds: an ensemble runs inside the test, somebody
// writes, and the cache's session is lost.
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
	other, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := cache.New(client, "/config", cache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := other.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	e.ExpireSession(client.Status().Session)
	if err := s.EnsureNode(ctx, "/config/color", []byte("blue"), nil); err != nil {
		log.Fatal(err)
	}
	if err := c.Fresh(ctx); err != nil { // then it is there
		log.Fatal(err)
	}
	n, ok, err := c.Get(ctx, "/config/color")
	fmt.Println(string(n.Data), ok, err)
	// Output: blue true <nil>
}
