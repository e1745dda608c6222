package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
	"github.com/zkrecipe/zkrecipe/watch"
)

// Lock is a recipe made of this package and of watch: a place in a line, a wait for the one
// ahead, and a lease that says for how long the lock is provably held. For locks take
// recipe/lock, which is this with everything that a service needs besides: there a release is
// announced, and a crashed holder's heartbeat heard, so that the next one need not wait.
type Lock struct {
	*session.Lease // Valid and Remaining are the lock's
	s              *session.Session
	path           string
	own            *session.Watch
	hold           *session.Hold
	left           func()
}

// Acquire waits for the lock at dir.
func Acquire(ctx context.Context, client *session.Client, dir string) (*Lock, error) {
	left := client.Use() // Close waits for Release, so that the znode is deleted in order
	s, err := client.Session(ctx)
	if err != nil {
		left()
		return nil, err
	}
	path, err := s.CreatePlace(ctx, dir, "lock-", nil, nil)
	if err != nil {
		left()
		return nil, err
	}
	wake := make(chan struct{}, 1)
	l := &Lock{s: s, path: path, own: s.Watch(path, wake), left: left}
	l.hold = s.Hold(l.own, wake)
	if err := l.wait(ctx, dir, wake); err != nil {
		l.hold.Release()
		l.own.Stop()
		s.Abandon(path, left) // it must not stay in the line, and ctx may be over
		return nil, err
	}
	go l.look(ctx, wake)
	return l, nil
}

// wait returns when nobody is ahead, no former holder's lease can run, and the own one does.
func (l *Lock) wait(ctx context.Context, dir string, wake <-chan struct{}) error {
	for {
		names, _, err := l.s.Children(ctx, dir)
		if err != nil {
			return err
		}
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(sequence(a), sequence(b)) })
		own := slices.Index(names, l.path[len(dir)+1:])
		if own < 0 {
			return zk.ErrNoNode // somebody deleted it
		}
		if own == 0 {
			break
		}
		// The one ahead only: its departure wakes one waiter, not all.
		if err := watch.Gone(ctx, l.s, dir+"/"+names[own-1]); err != nil {
			return err
		}
	}
	if sequence(l.path) != "0000000000" { // there were others: their leases may still run
		select {
		case <-time.After(session.Outlast(l.s.LeaseTime())):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		if !l.own.Armed() { // the lease is extended only while a watch says that the znode is there
			if _, _, err := l.own.Get(ctx); err != nil {
				return err
			}
		}
		if l.Lease = l.hold.Lease(); l.Lease != nil {
			return nil
		}
		select {
		case <-wake: // a lease begins, or the Hold says why it cannot
		case <-l.s.Done():
			return l.s.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := l.hold.Err(); err != nil {
			return err
		}
	}
}

// look keeps a watch on the own znode.
func (l *Lock) look(ctx context.Context, wake <-chan struct{}) {
	for l.Valid() {
		select {
		case <-wake:
		case <-l.s.Done():
			return
		case <-ctx.Done():
			return
		}
		if !l.own.Armed() {
			l.own.Get(ctx)
		}
	}
}

// Release gives the lock away. The work must have stopped.
func (l *Lock) Release(ctx context.Context) error {
	defer l.left()
	l.hold.Release()
	l.own.Stop()
	return l.s.Remove(ctx, l.path)
}

// sequence is the number that the ensemble has put at the end of a name.
func sequence(name string) string { return name[max(0, len(name)-10):] }

// A lock, as an example of a recipe of one's own.
func Example_recipe() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsurePath(ctx, "/locks/report", nil); err != nil {
		log.Fatal(err)
	}
	first, err := Acquire(ctx, client, "/locks/report")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("first:", first.Valid(), first.Remaining() <= s.LeaseTime())

	line := watch.NewChildren(s, "/locks/report")
	defer line.Stop()
	second := make(chan *Lock)
	go func() {
		l, err := Acquire(ctx, client, "/locks/report")
		if err != nil {
			log.Fatal(err)
		}
		second <- l
	}()
	for list, err := line.Next(ctx); len(list.Names) < 2; list, err = line.Next(ctx) {
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := first.Release(ctx); err != nil {
		log.Fatal(err)
	}
	l := <-second
	fmt.Println("second:", l.Valid())
	l.Release(ctx)
	// Output:
	// first: true true
	// second: true
}

// connect returns a client of an ensemble inside this process.
func connect() (ctx context.Context, client *session.Client, done func()) {
	e, err := zktest.New(zktest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), session.Config{Timeout: 2 * time.Second, Lease: 200 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	return ctx, client, func() { cancel(); client.Close(); e.Close() }
}

// A recipe takes its leave when the client is closed, in the session that is closed then.
func ExampleClient_Use() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	left := client.Use()
	go func() {
		defer left()
		<-client.Context().Done() // Close has been called
		fmt.Println("closed:", errors.Is(context.Cause(client.Context()), session.ErrClosed))
		fmt.Println("one write yet:", s.EnsurePath(ctx, "/farewell", nil))
	}()
	client.Close()
	fmt.Println("the session's end:", s.Err())
	// Output:
	// closed: true
	// one write yet: <nil>
	// the session's end: session: closed
}

// A member of a group hears of others, and of its own end, with no more than a Watch.
func ExampleWatch_Children() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	ann, err := s.CreateProtected(ctx, "/members", "ann-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	wake := make(chan struct{}, 1) // one for both
	members, own := s.Watch("/members", wake), s.Watch(ann, wake)
	defer members.Stop()
	defer own.Stop()
	await := func(n int) {
		for {
			names, _, err := members.Children(ctx) // each read leaves a watch
			if err != nil {
				log.Fatal(err)
			}
			if _, _, err := own.Get(ctx); err != nil && !errors.Is(err, zk.ErrNoNode) {
				log.Fatal(err)
			}
			if len(names) == n {
				fmt.Println(n, "in the group; ann is gone:", own.Deleted())
				return
			}
			<-wake // something has changed: look again
		}
	}
	await(1)
	bob, err := s.CreateProtected(ctx, "/members", "bob-", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	await(2)
	fmt.Println("the next change will be told:", members.Armed())
	if err := s.Remove(ctx, ann); err != nil { // returns when it is gone
		log.Fatal(err)
	}
	await(1)
	s.Abandon(bob, nil) // does not wait
	await(0)
	// Output:
	// 1 in the group; ann is gone: false
	// 2 in the group; ann is gone: false
	// the next change will be told: true
	// 1 in the group; ann is gone: true
	// 0 in the group; ann is gone: true
}
