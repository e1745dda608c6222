package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// testServers starts an ensemble inside this process, in place of a real one.
func testServers() (connect string, stop func()) {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	return e.ConnectString() + "/app", func() { e.Close() }
}

func Example() {
	servers, stop := testServers() // "zk1:2181,zk2:2181,zk3:2181/app" elsewhere
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := session.Open(servers, session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsurePath(ctx, "/greeting", nil); err != nil {
		log.Fatal(err)
	}
	if _, err := s.Set(ctx, "/greeting", []byte("hello"), -1); err != nil {
		log.Fatal(err)
	}
	data, stat, err := s.Get(ctx, "/greeting")
	fmt.Println(string(data), stat.Version, err)
	// Output: hello 1 <nil>
}

// A lease says for how long no other session takes the place of this session.
func ExampleSession_Hold() {
	servers, stop := testServers()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := session.Open(servers, session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsurePath(ctx, "/locks", nil); err != nil {
		log.Fatal(err)
	}
	path, err := s.CreatePlace(ctx, "/locks", "l-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	own := s.Watch(path, wake)
	defer own.Stop()
	hold := s.Hold(own, wake)
	defer hold.Release()
	for hold.Lease() == nil && hold.Err() == nil {
		if !own.Armed() { // it tells, should somebody delete the znode
			if _, _, err := own.Get(ctx); err != nil {
				log.Fatal(err)
			}
		}
		<-wake // a lease begins, or hold.Err() says why it cannot
	}
	lease := hold.Lease()
	fmt.Println(lease.Valid(), lease.Remaining() <= s.LeaseTime(), s.LeaseTime() <= s.LeaseAsked(), s.LeaseAsked() == client.LeaseAsked())
	// Output: true true true true
}

// A signal means: look again.
func ExampleSession_Watch() {
	servers, stop := testServers()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := session.Open(servers, session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsurePath(ctx, "/job", nil); err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	w := s.Watch("/job", wake)
	defer w.Stop()
	for {
		_, stat, err := w.Get(ctx)
		if errors.Is(err, zk.ErrNoNode) {
			fmt.Println("gone")
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("version", stat.Version)
		if err := s.Delete(ctx, "/job", -1); err != nil { // somebody else would
			log.Fatal(err)
		}
		<-wake
	}
	// Output:
	// version 0
	// gone
}

// The outcome of a failed write decides what may be done next.
func ExampleOutcomeOf() {
	servers, stop := testServers()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := session.Open(servers, session.Config{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Set(ctx, "/missing", nil, -1)
	fmt.Println(err)
	fmt.Println(session.OutcomeOf(err), errors.Is(err, zk.ErrNoNode))
	// Output:
	// session: setData /missing: zk: node does not exist
	// not done true
}
