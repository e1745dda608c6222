package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// One session holds two places and is cut off. Another session sees no beat of it, and takes over,
// long before the ensemble would end the first session.
func ExampleSession_Listen() {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	host := e.Host("away")
	first, close := member(ctx, e, host)
	defer close()
	second, close := member(ctx, e, e.Host("here"))
	defer close()

	if err := second.EnsurePath(ctx, "/jobs", nil); err != nil {
		log.Fatal(err)
	}
	held, stop := takePlace(ctx, first)
	defer stop()
	other, stop := takePlace(ctx, first)
	defer stop()
	own, stop := takePlace(ctx, second)
	defer stop()

	wake := make(chan struct{}, 1)
	listener := second.Listen(first.ID(), wake)
	defer listener.Stop()
	host.Hold() // nothing from or to the first arrives any more
	for listener.Heartbeat().State != session.HeartbeatSilent {
		<-wake
	}
	heard := listener.Heartbeat()
	fmt.Println("silent for a lease:", heard.Path == second.HeartbeatPath(first.ID()))
	switch err := listener.TakeOver(ctx, heard, held, own); {
	case err == nil:
		fmt.Println("taken over")
	case errors.Is(err, session.ErrOwnGone): // we do not stand there any more
		log.Fatal(err)
	case errors.Is(err, session.ErrUnproved): // it is gone, and we have to wait for the length of a lease
		select {
		case <-time.After(session.Outlast(heard.LeaseTime)):
		case <-ctx.Done():
		}
	default: // for example because a beat was on its way: listen on
		log.Fatal(err)
	}

	// Another place of that session is free at once.
	if heard := listener.Heartbeat(); heard.State == session.HeartbeatRevoked {
		fmt.Println("and the other:", listener.TakeOver(ctx, heard, other, own))
	}

	host.Heal()
	<-first.Done()
	fmt.Println("the first is over:", errors.Is(first.Err(), session.ErrRevoked))
	// Output:
	// silent for a lease: true
	// taken over
	// and the other: <nil>
	// the first is over: true
}

// A place that waits needs no lease. While the session beats for another place, it has a lease all
// the same. So it need not wait for one when it becomes the first.
func ExampleSession_Reserve() {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, close := member(ctx, e, e.Host("here"))
	defer close()
	if err := s.EnsurePath(ctx, "/jobs", nil); err != nil {
		log.Fatal(err)
	}

	waiting, err := s.CreatePlace(ctx, "/jobs", "job-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	own := s.Watch(waiting, wake)
	defer own.Stop()
	if _, _, err := own.Get(ctx); err != nil { // tells of its deletion
		log.Fatal(err)
	}
	reserved := s.Reserve(own, wake) // costs nothing
	defer reserved.Release()
	fmt.Println("alone:", reserved.Lease() != nil)

	_, stop := takePlace(ctx, s) // another place, for which the session beats
	defer stop()
	fmt.Println("beside another:", reserved.Lease() != nil)
	reserved.Keep() // from now on the session beats for this one, too
	fmt.Println("places:", s.Places())
	// Output:
	// alone: false
	// beside another: true
	// places: 2
}

// member returns a session of a client on a host.
func member(ctx context.Context, e *zktest.Ensemble, host *zktest.Host) (s *session.Session, close func()) {
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second, Lease: time.Second, Dial: host.Dial})
	if err != nil {
		log.Fatal(err)
	}
	if s, err = client.Session(ctx); err != nil {
		log.Fatal(err)
	}
	return s, func() { client.Close() }
}

// takePlace creates a place, and returns when its lease has begun.
func takePlace(ctx context.Context, s *session.Session) (path string, stop func()) {
	path, err := s.CreatePlace(ctx, "/jobs", "job-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1)
	own := s.Watch(path, wake)
	if _, _, err := own.Get(ctx); err != nil { // tells of its deletion
		log.Fatal(err)
	}
	hold := s.Hold(own, wake)
	for hold.Lease() == nil {
		<-wake
	}
	return path, func() { hold.Release(); own.Stop() }
}
