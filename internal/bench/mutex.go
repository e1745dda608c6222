package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/unprotected"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// measureLocks measures locks of ours beside zk.Lock, on the same servers in turn.
func measureLocks(l *lab) error {
	if err := measureAlone(l); err != nil {
		return fmt.Errorf("uncontended: %w", err)
	}
	if err := measureLockHandOvers(l); err != nil {
		return fmt.Errorf("hand-overs: %w", err)
	}
	if err := measureThroughput(l); err != nil {
		return fmt.Errorf("throughput: %w", err)
	}
	if err := measureProcesses(l); err != nil {
		return fmt.Errorf("throughput of processes: %w", err)
	}
	return nil
}

// An acquirer acquires one lock and returns what releases it.
type acquirer func() (release func() error, err error)

// ourLock is a lock of ours in a client's session. Nothing is acquired after the end of ctx.
func ourLock(ctx context.Context, o *ours, path string) (acquirer, error) {
	one, err := lock.New(o.Client, path, lock.Config{ID: "contender"})
	if err != nil {
		return nil, err
	}
	return func() (func() error, error) {
		h, err := one.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		return func() error { return h.Release(context.WithoutCancel(ctx)) }, nil
	}, nil
}

// zkLock is a zk.Lock in a session.
func zkLock(b *bare, path string) acquirer {
	one := zk.NewLock(b.Conn, path, zk.WorldACL(zk.PermAll))
	return func() (func() error, error) {
		if err := one.Lock(); err != nil {
			return nil, err
		}
		return one.Unlock, nil
	}
}

// pairOf is a lock of each kind for each of n sessions of its own.
type pairOf struct {
	mine, base []acquirer
	clients    []*ours
	bares      []*bare
	path       string // of ours
	close      func()
}

func newPairOf(l *lab, n int) (p *pairOf, err error) {
	p = &pairOf{path: l.path("ours")}
	clients, closeClients, err := openAll(l, n, longTimeout)
	if err != nil {
		return nil, err
	}
	bares, closeBares, err := dialBares(l, n, longTimeout)
	if err != nil {
		closeClients()
		return nil, err
	}
	p.clients, p.bares, p.close = clients, bares, func() { closeBares(); closeClients() }
	other := l.path("zk")
	for i := range n {
		mine, err := ourLock(l.ctx, clients[i], p.path)
		if err != nil {
			p.close()
			return nil, err
		}
		p.mine, p.base = append(p.mine, mine), append(p.base, zkLock(bares[i], other))
	}
	return p, nil
}

// measureAlone measures an acquisition and its release that nobody disturbs.
func measureAlone(l *lab) error {
	p, err := newPairOf(l, 3)
	if err != nil {
		return err
	}
	defer p.close()
	var mine, base sample
	for i := range l.failovers + 3 {
		for _, x := range []struct {
			acquire acquirer
			to      *sample
		}{{p.base[i%3], &base}, {p.mine[i%3], &mine}} {
			begun := time.Now()
			release, err := x.acquire()
			if err == nil {
				err = release()
			}
			if err != nil {
				return err
			}
			if i >= 3 { // the sessions are warm
				*x.to = append(*x.to, time.Since(begun))
			}
		}
	}
	t := table{title: l.title("Uncontended lock, acquired and released, %d each, ms and times zk.Lock:", len(mine)), head: []string{"who", "p50", "p95", "p50/zk.Lock", "p95/zk.Lock"}}
	t.add(nameLock, millis(base.at(0.5)), millis(base.at(0.95)), "1.00", "1.00")
	t.add(nameOurs, millis(mine.at(0.5)), millis(mine.at(0.95)), ratio(mine.at(0.5), base.at(0.5)), ratio(mine.at(0.95), base.at(0.95)))
	t.print(l.out)
	return nil
}

// throughputFor is how long each kind contends in one round.
const throughputFor = 2 * time.Second

// contending is how many contend for one lock.
const contending = 16

// measureThroughput lets sessions of this process contend for one lock.
func measureThroughput(l *lab) error {
	p, err := newPairOf(l, contending)
	if err != nil {
		return err
	}
	defer p.close()
	path := l.path("floor")
	var floors []acquirer
	for _, b := range p.bares {
		one, err := unprotected.Lock(b.Conn, path)
		if err != nil {
			return err
		}
		floors = append(floors, one)
	}
	return l.throughput("sessions of one process", map[string]func() (int, error){
		nameFloor: func() (int, error) { return contend(floors) },
		nameLock:  func() (int, error) { return contend(p.base) },
		nameOurs:  func() (int, error) { return contend(p.mine) },
	})
}

// throughput lets each kind contend in turn.
func (l *lab) throughput(of string, kinds map[string]func() (int, error)) error {
	const rounds = 3
	names := []string{nameFloor, nameLock, nameOurs}
	acquired := map[string]int{}
	for range rounds {
		for _, name := range names {
			n, err := kinds[name]()
			if err != nil {
				return err
			}
			acquired[name] += n
		}
	}
	t := table{
		title: l.title("%d %s contend for one lock, acquisitions per second:", contending, of),
		head:  []string{"who", "per second", "times the floor", "times zk.Lock"},
	}
	for _, name := range names {
		times := func(base string) string { return fmt.Sprintf("%.2f", float64(acquired[name])/float64(acquired[base])) }
		t.add(name, fmt.Sprintf("%.0f", float64(acquired[name])/(rounds*throughputFor).Seconds()), times(nameFloor), times(nameLock))
	}
	t.print(l.out)
	return nil
}

// contend counts the acquisitions in throughputFor.
func contend(all []acquirer) (n int, err error) {
	end := time.Now().Add(throughputFor)
	var mu sync.Mutex // guards n and err
	var running sync.WaitGroup
	for _, acquire := range all {
		running.Go(func() {
			for time.Now().Before(end) {
				release, failed := acquire()
				if failed == nil {
					if time.Now().Before(end) {
						mu.Lock()
						n++
						mu.Unlock()
					}
					failed = release()
				}
				if failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
					return
				}
			}
		})
	}
	running.Wait()
	return n, err
}

// measureLockHandOvers measures hand-overs at different numbers of waiters.
func measureLockHandOvers(l *lab) error {
	t := table{
		title: l.title("Hand-over of a lock, delete sent to acquired, %d each, ms and times the floor:", l.failovers),
		head:  []string{"contenders", "who", "p50", "p95", "p50/floor", "p95/floor"},
	}
	for _, n := range []int{2, 10, 100, 1000} {
		if l.only != 0 && l.only != n {
			continue
		}
		if err := measureLockHandOver(l, n, &t); err != nil {
			return fmt.Errorf("%d contenders: %w", n, err)
		}
	}
	t.print(l.out)
	return nil
}

func measureLockHandOver(l *lab, n int, t *table) error {
	sessions := min(n, 12)
	clients, closeClients, err := openAll(l, sessions, longTimeout)
	if err != nil {
		return err
	}
	defer closeClients()
	bares, closeBares, err := dialBares(l, sessions, longTimeout)
	if err != nil {
		return err
	}
	defer closeBares()
	f, err := newFloor(l, longTimeout)
	if err != nil {
		return err
	}
	defer f.stop()
	q, err := formLockLine(l, n, ourContenders(clients), bares[0])
	if err != nil {
		return err
	}
	defer q.close()
	ls, err := formLockLine(l, n, zkContenders(bares), bares[0])
	if err != nil {
		return err
	}
	defer ls.stop()
	took := map[string]sample{}
	add := func(name string, measure func() (failover, error)) error {
		x, err := measure()
		took[name] = append(took[name], x.all)
		return err
	}
	from, to := clients[0].server, clients[1].server
	for i := range l.failovers {
		p, err := f.prepare(from, to, false) // between the servers of the hand-over of ours before
		if err != nil {
			return err
		}
		err = inTurn(i,
			func() error { return add(nameFloor, p.fire) },
			func() error {
				from = q.holder.of.server
				err := add(nameOurs, q.handOver)
				to = q.holder.of.server
				return err
			},
			func() error { return add(nameLock, ls.handOver) })
		if err != nil {
			return err
		}
	}
	kinds := []string{nameFloor, nameOurs, nameLock}
	if n > 2 { // of two, the former holder has to come back first
		kinds = slices.Insert(kinds, 2, nameCold)
		for range l.failovers / 4 {
			time.Sleep(rest)
			if _, err := q.handOver(); err != nil {
				return err
			}
			if err := add(nameCold, q.handOver); err != nil {
				return err
			}
		}
	}
	base := took[nameFloor]
	for _, name := range kinds {
		s := took[name]
		t.add(n, name, millis(s.at(0.5)), millis(s.at(0.95)), ratio(s.at(0.5), base.at(0.5)), ratio(s.at(0.95), base.at(0.95)))
	}
	return nil
}
