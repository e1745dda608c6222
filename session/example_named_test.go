package session_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// register creates a znode with a name of its own, for which a lease is kept.
func register(ctx context.Context, s *session.Session, path string, wake chan struct{}) (*session.Hold, error) {
	if err := s.EnsureHeartbeat(ctx); err != nil {
		return nil, err
	}
	if _, err := s.Create(ctx, path, nil, zk.FlagEphemeral, nil); err != nil {
		return nil, err
	}
	own := s.Watch(path, wake)
	_, stat, err := own.Get(ctx)
	if err != nil {
		return nil, err
	}
	return s.HoldNamed(own, stat.Czxid, wake), nil
}

func ExampleSession_HoldNamed() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	hold, err := register(ctx, s, "/host-a", wake)
	if err != nil {
		log.Fatal(err)
	}
	defer hold.Release()
	for hold.Lease() == nil {
		<-wake
	}
	fmt.Println(hold.Lease().Valid())
	// Output: true
}
