package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/internal/tether"
	"github.com/zkrecipe/zkrecipe/internal/unprotected"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
)

// timeout is that of all sessions. Nothing depends on it but that they live.
const timeout = 10 * time.Second

// serverOf returns the server of the i-th client.
func serverOf(l peers.Load, i int) string {
	servers := strings.Split(l.Connect, ",")
	return servers[i%len(servers)]
}

// An opener opens a session with a server, and returns a lock in it, or a semaphore, and what
// closes the session.
type opener func(ctx context.Context, server string, l peers.Load) (acquirer, func(), error)

// openers are what this program measures as processes of its own, so that they run as other
// libraries do.
var openers = map[string]opener{
	"lock":        ourLock,
	"semaphore":   ourSemaphore,
	"zk.Lock":     zkLock,
	"unprotected": unprotectedLock,
}

// asClients as first argument makes this program a process with clients: which ones, and their
// load, follow.
const asClients = "clients"

// own runs clients of this program.
func own(which string) func(context.Context, peers.Load) (peers.Locked, error) {
	return func(ctx context.Context, l peers.Load) (peers.Locked, error) {
		return peers.RunLock(ctx, []string{tether.Self, asClients, which}, l)
	}
}

// beClients is what such a process does.
func beClients(ctx context.Context, which string, load []string) error {
	l, err := peers.ParseLoad(load)
	if err != nil {
		return err
	}
	var all []acquirer
	for i := range l.Clients {
		acquire, closeSession, err := openers[which](ctx, serverOf(l, i), l)
		if err != nil {
			return err
		}
		defer closeSession()
		all = append(all, acquire)
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(takeInTurn(ctx, l, all))
}

func ourLock(ctx context.Context, server string, l peers.Load) (acquirer, func(), error) {
	client, err := open(ctx, server)
	if err != nil {
		return nil, nil, err
	}
	one, err := lock.New(client, l.Path, lock.Config{})
	return func(ctx context.Context) (func(context.Context) error, error) {
		h, err := one.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		return h.Release, nil
	}, func() { client.Close() }, err
}

func ourSemaphore(ctx context.Context, server string, l peers.Load) (acquirer, func(), error) {
	client, err := open(ctx, server)
	if err != nil {
		return nil, nil, err
	}
	one, err := semaphore.New(client, l.Path, l.Permits, semaphore.Config{})
	return func(ctx context.Context) (func(context.Context) error, error) {
		p, err := one.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		return p.Release, nil
	}, func() { client.Close() }, err
}

// open waits for a session.
func open(ctx context.Context, server string) (*session.Client, error) {
	client, err := session.Open(server, session.Config{Timeout: timeout})
	if err != nil {
		return nil, err
	}
	_, err = client.Session(ctx)
	return client, err
}

func zkLock(_ context.Context, server string, l peers.Load) (acquirer, func(), error) {
	conn, err := dial(server)
	if err != nil {
		return nil, nil, err
	}
	one := zk.NewLock(conn, l.Path, zk.WorldACL(zk.PermAll))
	return endless(func() (func() error, error) { return one.Unlock, one.Lock() }), conn.Close, nil
}

func unprotectedLock(_ context.Context, server string, l peers.Load) (acquirer, func(), error) {
	conn, err := dial(server)
	if err != nil {
		return nil, nil, err
	}
	one, err := unprotected.Lock(conn, l.Path)
	return endless(one), conn.Close, err
}

// endless is for what knows no context.
func endless(acquire func() (release func() error, err error)) acquirer {
	return func(context.Context) (func(context.Context) error, error) {
		release, err := acquire()
		return func(context.Context) error { return release() }, err
	}
}

type silence struct{}

func (silence) Printf(string, ...any) {}

func dial(server string) (*zk.Conn, error) {
	conn, _, err := zk.Connect([]string{server}, timeout, zk.WithLogger(silence{}))
	if err != nil {
		return nil, err
	}
	if _, _, err := conn.Exists("/"); err != nil { // it waits for a session
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// floor is the time from the request that deletes a znode until a session with another server has
// the event. The pairs of servers are those between which a lock of so many clients goes.
func floor(ctx context.Context, l peers.Load) (peers.Locked, error) {
	var conns []*zk.Conn
	for i := range min(max(l.Clients, 2), 3) {
		conn, err := dial(serverOf(l, i))
		if err != nil {
			return peers.Locked{}, err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	var took []time.Duration
	for end := time.Now().Add(l.For); time.Now().Before(end) && ctx.Err() == nil; {
		d, err := deletion(conns[len(took)%len(conns)], conns[(len(took)+1)%len(conns)], l.Rest)
		if err != nil {
			return peers.Locked{}, err
		}
		took = append(took, d)
	}
	return locked(len(took), 0, took), context.Cause(ctx)
}

// deletion is how long it takes after a rest that one session deletes a znode and another hears of
// it.
func deletion(leaver, waiter *zk.Conn, rest time.Duration) (time.Duration, error) {
	node, err := leaver.Create("/floor-", []byte("contender"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err != nil {
		return 0, err
	}
	var gone <-chan zk.Event
	for there := false; !there; {
		if there, _, gone, err = waiter.ExistsW(node); err != nil {
			return 0, err
		}
		if !there {
			<-gone // the waiter's server hears of the create only now
		}
	}
	heard := make(chan time.Time, 1)
	go func() { // parked, as one that waits for a lock is
		<-gone
		heard <- time.Now()
	}()
	time.Sleep(rest)
	begun := time.Now()
	if err := leaver.Delete(node, -1); err != nil {
		return 0, err
	}
	return (<-heard).Sub(begun), nil
}
