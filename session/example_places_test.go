package session_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A place in a line is created, and the line and its record are read in the same round trip.
func ExampleSession_AskChildren() {
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
	if err := s.EnsureNode(ctx, "/line", []byte("record"), nil); err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureHeartbeat(ctx); err != nil {
		log.Fatal(err)
	}
	answers := make(chan string, 2)
	place := session.Place{Dir: "/line", Name: "lock-", Sent: func() {
		s.AskChildren("/line", func(names []string, _ zk.Stat, err error) { answers <- fmt.Sprint(len(names), " in line, ", err) })
		s.AskData("/line", func(data []byte, _ zk.Stat, err error) { answers <- fmt.Sprintf("%s, %v", data, err) })
	}}
	if _, err := s.CreatePlaces(ctx, place); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-answers)
	fmt.Println(<-answers)
	// Output:
	// 1 in line, <nil>
	// record, <nil>
}

// Two places at once. A process that does the same gets the same order in both directories.
func ExampleSession_CreatePlaces() {
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
	var places []session.Place
	for _, dir := range []string{"/x", "/y"} {
		if err := s.EnsurePath(ctx, dir, nil); err != nil {
			log.Fatal(err)
		}
		places = append(places, session.Place{Dir: dir, Name: "lock-", Data: []byte("me")})
	}
	paths, err := s.CreatePlaces(ctx, places...)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		wake := make(chan struct{}, 1)
		own := s.Watch(path, wake)
		hold := s.Hold(own, wake)
		for hold.Lease() == nil {
			<-wake
		}
		token := hold.Born()
		if token == 0 { // no beat has created it: here it came with the session's heartbeat
			_, stat, err := own.Get(ctx)
			if err != nil {
				log.Fatal(err)
			}
			token = stat.Czxid
		}
		fmt.Println(path[:6], strings.HasSuffix(path, "lock-0000000000"), hold.Lease().Valid(), token > 0)
		hold.Release()
		own.Stop()
	}
	// Output:
	// /x/_c_ true true true
	// /y/_c_ true true true
}
