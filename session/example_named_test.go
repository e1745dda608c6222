package session_test

import (
	"fmt"
	"log"

	"github.com/go-zookeeper/zk"
)

// A znode with a name of its own, for which a lease is kept.
func ExampleSession_HoldNamed() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsureHeartbeat(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := s.Create(ctx, "/host-a", nil, zk.FlagEphemeral, nil); err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	own := s.Watch("/host-a", wake)
	defer own.Stop()
	_, stat, err := own.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	hold := s.HoldNamed(own, stat.Czxid, wake)
	defer hold.Release()
	for hold.Lease() == nil {
		<-wake
	}
	fmt.Println(hold.Lease().Valid())
	// Output: true
}
