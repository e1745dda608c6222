package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
	"github.com/zkrecipe/zkrecipe/watch"
)

// Lock is a recipe that uses this package and package watch: it takes a place in a line, waits for
// the place ahead, and has a lease that says for how long the lock is held. In a service, use
// recipe/lock or recipe/election. There the next in line also takes over from a holder that has
// crashed, as the example of Session.Listen does. Here it waits until the ensemble has ended that
// session.
type Lock struct {
	s     *session.Session
	dir   string
	path  string
	own   *session.Watch
	hold  *session.Hold
	lease *session.Lease
	wake  chan struct{}
	stop  context.CancelFunc // ends keep
	left  func()
}

// Acquire waits for the lock at dir. All users of the lock have the same session.Config.Lease.
func Acquire(ctx context.Context, client *session.Client, dir string) (*Lock, error) {
	left := client.KeepOpen("lock " + dir) // Close waits for Release, so that the znode is deleted in order
	s, err := client.Session(ctx)
	if err != nil {
		left()
		return nil, err
	}
	if err := s.EnsureNode(ctx, dir, []byte("-1"), nil); err != nil { // nobody has held it yet
		left()
		return nil, err
	}
	through, end := s.SeeThrough(ctx) // if ctx ends during the create, the path is known, and the znode is deleted in order
	defer end()
	path, err := s.CreatePlace(through, dir, "lock-", nil, nil)
	if err != nil {
		left()
		return nil, err
	}
	wake := make(chan struct{}, 1)
	own := s.Watch(path, wake)
	l := &Lock{s: s, dir: dir, path: path, own: own, hold: s.Hold(own, wake), wake: wake, left: left}
	if err := l.wait(ctx); err != nil {
		l.drop()
		s.DeleteInBackground(path, left) // it must not stay in the line, and ctx may be over
		return nil, err
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go l.keep(ctx)
	return l, nil
}

// wait returns when no place is ahead, no lease of another holder can run any more, and the lock's
// own lease runs.
func (l *Lock) wait(ctx context.Context) error {
	for {
		names, _, err := l.s.Children(ctx, l.dir)
		if err != nil {
			return err
		}
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
		own := slices.Index(names, l.path[len(l.dir)+1:])
		if own < 0 {
			return zk.ErrNoNode // somebody deleted it
		}
		if own == 0 {
			break
		}
		// Only the place ahead: its deletion wakes one waiter, not all.
		if err := watch.Gone(ctx, l.s, l.dir+"/"+names[own-1]); err != nil {
			return err
		}
	}
	if err := l.outlast(ctx); err != nil {
		return err
	}
	l.hold.Renew() // a whole lease, and a signal when it is there
	for {
		if err := l.look(ctx); err != nil {
			return err
		}
		if l.lease = l.hold.Lease(); l.lease != nil {
			return nil
		}
		select {
		case <-l.wake:
		case <-l.s.Done():
			return l.s.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// outlast waits until the leases of earlier holders are over. A holder whose znode is gone perhaps
// does not know that yet. A holder that releases the lock writes its number to the path, in the
// same transaction. All holders up to that number have stopped.
func (l *Lock) outlast(ctx context.Context) error {
	data, _, err := l.s.Get(ctx, l.dir)
	if err != nil {
		return err
	}
	if released, err := strconv.Atoi(string(data)); err == nil && number(l.path) <= released+1 {
		return nil
	}
	select {
	case <-time.After(session.Outlast(l.s.LeaseTime())):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// look leaves a watch on the lock's own znode, which fires at once if somebody deletes it. Each
// beat checks the znode, too, so without a watch the lease of a deleted znode is not extended
// either.
func (l *Lock) look(ctx context.Context) error {
	if err := l.hold.Err(); err != nil {
		return err
	}
	if l.own.Armed() {
		return nil
	}
	_, _, err := l.own.Get(ctx)
	return err
}

// keep leaves the watch again after each reconnect while the lock is held.
func (l *Lock) keep(ctx context.Context) {
	for l.look(ctx) == nil {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Valid reports whether the lock is held at this moment.
func (l *Lock) Valid() bool { return l.lease.Valid() }

// Release releases the lock. The work must have stopped.
func (l *Lock) Release(ctx context.Context) error {
	defer l.left()
	defer l.drop()
	l.stop()
	released := []byte(strconv.Itoa(number(l.path)))
	return l.s.EnsureDeleted(ctx, l.path, &zk.SetDataRequest{Path: l.dir, Data: released, Version: -1})
}

func (l *Lock) drop() {
	l.own.Stop()
	l.hold.Release()
}

// number returns the number that the ensemble has put at the end of a name. Each later name has a
// larger one.
func number(name string) int {
	n, _ := strconv.Atoi(name[max(0, len(name)-10):])
	return n
}

// A lock, as an example of a recipe of your own.
func Example_recipe() {
	ctx, client, done := connect()
	defer done()

	first, err := Acquire(ctx, client, "/locks/report")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("first:", first.Valid(), first.lease.Remaining() <= first.s.LeaseTime())

	line := watch.NewChildren(first.s, "/locks/report")
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
	if err := first.Release(ctx); err != nil { // announced, so that the second need not wait
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
	return connectWith(session.Config{Timeout: 10 * time.Second, Lease: time.Second})
}

func connectWith(cfg session.Config) (ctx context.Context, client *session.Client, done func()) {
	e, err := zktest.New(zktest.Config{MaxSessionTimeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	client, err = session.Open(e.ConnectString(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	return ctx, client, func() { cancel(); client.Close(); e.Close() }
}

// A recipe cleans up when the client is closed, before the session ends.
func ExampleClient_KeepOpen() {
	ctx, client, done := connect()
	defer done()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	left := client.KeepOpen("last write")
	go func() {
		defer left()
		<-client.Context().Done() // Close has been called
		fmt.Println("closed:", errors.Is(context.Cause(client.Context()), session.ErrClosed))
		fmt.Println("one write yet:", s.EnsurePath(ctx, "/last", nil))
	}()
	client.Close()
	fmt.Println("the session's end:", s.Err())
	// Output:
	// closed: true
	// one write yet: <nil>
	// the session's end: session: closed
}

// A member of a group learns of other members, and of its own end, with only a Watch.
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
	if err := s.EnsureDeleted(ctx, ann); err != nil { // returns when it is gone
		log.Fatal(err)
	}
	await(1)
	s.DeleteInBackground(bob, nil) // does not wait
	await(0)
	// Output:
	// 1 in the group; ann is gone: false
	// 2 in the group; ann is gone: false
	// the next change will be told: true
	// 1 in the group; ann is gone: true
	// 0 in the group; ann is gone: true
}
