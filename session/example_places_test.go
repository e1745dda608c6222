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

// Two places at once. If other processes do the same, the order is the same in both directories.
// When the creates have been sent, the first line and its record are requested, so that they come
// in the same round trip.
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
		if err := s.EnsureNode(ctx, dir, []byte("record of "+dir), nil); err != nil {
			log.Fatal(err)
		}
		places = append(places, session.Place{Dir: dir, Name: "lock-", Data: []byte("me")})
	}
	answers := make(chan string, 2)
	places[0].Sent = func() {
		s.AskChildren("/x", func(names []string, _ zk.Stat, err error) { answers <- fmt.Sprint(len(names), " in line ", err) })
		s.AskData("/x", func(data []byte, _ zk.Stat, err error) { answers <- fmt.Sprintf("%s %v", data, err) })
	}
	if err := s.EnsureHeartbeat(ctx); err != nil { // without it, the places are created with the heartbeat, and not by a beat
		log.Fatal(err)
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
		token := hold.Czxid() // without a read, because a beat has created it
		fmt.Println(path[:6], strings.HasSuffix(path, "lock-0000000000"), hold.Lease().Valid(), token > 0)
		hold.Release()
		own.Stop()
	}
	fmt.Println(<-answers)
	fmt.Println(<-answers)
	// Output:
	// /x/_c_ true true true
	// /y/_c_ true true true
	// 1 in line <nil>
	// record of /x <nil>
}
