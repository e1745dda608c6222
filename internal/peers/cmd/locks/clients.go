package main

import (
	"context"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/peers"
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

func ourLock(ctx context.Context, l peers.Load) (peers.Locked, error) {
	return ours(ctx, l, func(client *session.Client) (acquirer, error) {
		one, err := lock.New(client, l.Path, lock.Config{})
		return func(ctx context.Context) (func(context.Context) error, error) {
			h, err := one.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			return h.Release, nil
		}, err
	})
}

func ourSemaphore(ctx context.Context, l peers.Load) (peers.Locked, error) {
	return ours(ctx, l, func(client *session.Client) (acquirer, error) {
		one, err := semaphore.New(client, l.Path, l.Permits, semaphore.Config{})
		return func(ctx context.Context) (func(context.Context) error, error) {
			p, err := one.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			return p.Release, nil
		}, err
	})
}

// ours are clients of this library, in this process.
func ours(ctx context.Context, l peers.Load, on func(*session.Client) (acquirer, error)) (peers.Locked, error) {
	var all []acquirer
	for i := range l.Clients {
		client, err := session.Open(serverOf(l, i), session.Config{Timeout: timeout})
		if err != nil {
			return peers.Locked{}, err
		}
		defer client.Close()
		if _, err := client.Session(ctx); err != nil {
			return peers.Locked{}, err
		}
		acquire, err := on(client)
		if err != nil {
			return peers.Locked{}, err
		}
		all = append(all, acquire)
	}
	return takeInTurn(ctx, l, all), nil
}

type silence struct{}

func (silence) Printf(string, ...any) {}

// zkLock are sessions of the zk package with its lock, in this process.
func zkLock(ctx context.Context, l peers.Load) (peers.Locked, error) {
	var all []acquirer
	for i := range l.Clients {
		conn, err := dial(serverOf(l, i))
		if err != nil {
			return peers.Locked{}, err
		}
		defer conn.Close()
		one := zk.NewLock(conn, l.Path, zk.WorldACL(zk.PermAll))
		all = append(all, func(context.Context) (func(context.Context) error, error) {
			return func(context.Context) error { return one.Unlock() }, one.Lock()
		})
	}
	return takeInTurn(ctx, l, all), nil
}

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
	return locked(took, 0), context.Cause(ctx)
}

// deletion is how long it takes after a rest that one session deletes a znode and another hears of
// it.
func deletion(leaver, waiter *zk.Conn, rest time.Duration) (time.Duration, error) {
	node, err := leaver.Create("/floor-", []byte("contender"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err == nil {
		_, err = waiter.Sync("/")
	}
	if err != nil {
		return 0, err
	}
	_, _, gone, err := waiter.GetW(node)
	if err != nil {
		return 0, err
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
