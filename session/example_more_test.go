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

// A service that shows the state of its session.
func ExampleSession_Subscribe() {
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	host := e.Host("here")
	client, err := session.Open(e.ConnectString(), session.Config{Timeout: 10 * time.Second, Dial: host.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	states := make(chan session.State, 10)
	stop := s.Subscribe(func(state session.State) { states <- state })
	defer stop()

	host.Cut() // the cable is pulled and plugged in again
	for _, want := range []session.State{session.StateSuspended, session.StateConnected} {
		fmt.Println(<-states == want, want)
	}
	fmt.Println("reconnects:", client.Status().Counts.Reconnects)

	e.ExpireSession(s.ID())
	<-s.Done()
	fmt.Println(s.State(), errors.Is(s.Err(), session.ErrExpired))
	next, err := client.Session(context.Background())
	fmt.Println("another one:", next.ID() != s.ID(), err)
	// Output:
	// true suspended
	// true connected
	// reconnects: 1
	// lost true
	// another one: true <nil>
}

// A lost answer: Create cannot know what became of the znode. CreateProtected finds it.
func ExampleSession_CreateProtected() {
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
	if err := s.EnsurePath(ctx, "/jobs", nil); err != nil {
		log.Fatal(err)
	}
	count := func() int {
		names, _, err := s.Children(ctx, "/jobs")
		if err != nil {
			log.Fatal(err)
		}
		return len(names)
	}

	e.On(zktest.Match{Op: zktest.OpCreate, Nth: 1}, zktest.LoseReply)
	_, err = s.Create(ctx, "/jobs/job-", nil, zk.FlagEphemeral|zk.FlagSequence, nil)
	var failed *session.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.Path, failed.Outcome)
	}
	fmt.Println("znodes:", count())

	if err := s.EnsureHeartbeat(ctx); err != nil {
		log.Fatal(err)
	}
	e.On(zktest.Match{Op: zktest.OpMulti, Nth: 1}, zktest.LoseReply)
	_, err = s.CreateProtected(ctx, "/jobs", "job-", nil, nil)
	fmt.Println(err)
	fmt.Println("znodes:", count())
	// Output:
	// create /jobs/job- unknown
	// znodes: 1
	// <nil>
	// znodes: 2
}

// A znode that everybody may read, and that only its creator may change.
func ExampleSession_ACL() {
	servers, stop := testServers()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connect := func(auth ...session.Auth) (*session.Session, *session.Client) {
		client, err := session.Open(servers, session.Config{Timeout: 10 * time.Second, Auth: auth})
		if err != nil {
			log.Fatal(err)
		}
		s, err := client.Session(ctx)
		if err != nil {
			log.Fatal(err)
		}
		return s, client
	}
	owner, client := connect(session.Digest("billing", "secret"))
	defer client.Close()
	guest, client := connect()
	defer client.Close()
	if err := owner.EnsurePath(ctx, "/", nil); err != nil {
		log.Fatal(err)
	}
	acl := append(owner.ACL(), zk.WorldACL(zk.PermRead)...)
	if _, err := owner.Create(ctx, "/address", []byte("10.1.2.3:8080"), 0, acl); err != nil {
		log.Fatal(err)
	}
	if _, err := guest.QuorumSync(ctx, "/address"); err != nil { // its server may lag behind
		log.Fatal(err)
	}
	data, _, err := guest.Get(ctx, "/address")
	fmt.Println(string(data), err)
	_, err = guest.Set(ctx, "/address", nil, -1)
	fmt.Println(errors.Is(err, zk.ErrNoAuth), "and trying again cannot help:", session.Permanent(err))
	// Output:
	// 10.1.2.3:8080 <nil>
	// true and trying again cannot help: true
}

// A request that is too large is refused before it is sent.
func ExampleOutcome() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = s.Create(ctx, "/large", make([]byte, 2<<20), 0, nil)
	if errors.Is(err, session.ErrTooLarge) && session.OutcomeOf(err) == session.OutcomeNotDone {
		fmt.Println("nothing was sent")
	}
	// Output: nothing was sent
}

// A session can have so many ephemeral znodes that the servers fail at its end.
func ExampleConfig_ephemeralBytes() {
	ctx, client, done := connectWith(session.Config{EphemeralBytes: 150})
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for {
		if _, err := s.CreateProtected(ctx, "/workers", "w-", nil, nil); err != nil {
			fmt.Println(errors.Is(err, session.ErrTooManyEphemerals), "after", client.Status().EphemeralBytes, "bytes")
			return
		}
	}
	// Output: true after 99 bytes
}

// A recipe of your own may keep a lease time in a znode, so that others know how long they have to
// wait.
func ExampleParseLease() {
	for _, text := range []string{"4s", "-1s", "2000000h"} {
		lease, err := session.ParseLease(text)
		fmt.Println(lease, err)
	}
	// Output:
	// 4s <nil>
	// 0s session: a lease of "-1s"; want a positive one of at most 30m0s
	// 0s session: a lease of "2000000h"; want a positive one of at most 30m0s
}

// A recipe of your own checks its path in the same way as those of this module.
func ExampleClient_CheckPath() {
	_, client, done := connect()
	defer done()
	for _, path := range []string{"/billing", "/", "/zkrecipe/beats"} {
		fmt.Println(path, client.CheckPath(path) == nil)
	}
	// Output:
	// /billing true
	// / false
	// /zkrecipe/beats false
}

func ExampleCheckPath() {
	for _, path := range []string{"/app/leader", "/app/", "app"} {
		fmt.Println(path, session.CheckPath(path) == nil)
	}
	// Output:
	// /app/leader true
	// /app/ false
	// app false
}
