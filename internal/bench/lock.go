package main

import (
	"context"
	"sync"
	"time"
)

// lockLine is a line of locks. Each holds the lock until it is told to unlock, and then waits
// again.
type lockLine struct {
	l       *lab
	path    string
	entered chan lockEntry
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	holder  lockEntry
}

type lockEntry struct {
	of     tied
	unlock chan struct{}
	at     time.Time
}

// contenders makes the i-th lock of a line, and says whose it is.
type contenders func(ctx context.Context, path string, i int) (acquirer, tied, error)

// ourContenders are on the clients in turn.
func ourContenders(clients []*ours) contenders {
	return func(ctx context.Context, path string, i int) (acquirer, tied, error) {
		o := clients[i%len(clients)]
		acquire, err := ourLock(ctx, o, path)
		return acquire, o.tied, err
	}
}

// zkContenders are of zk.Lock, the recipe of the zk package itself. They wait until their sessions
// are closed.
func zkContenders(sessions []*bare) contenders {
	return func(_ context.Context, path string, i int) (acquirer, tied, error) {
		b := sessions[i%len(sessions)]
		return zkLock(b, path), b.tied, nil
	}
}

// formLockLine puts n contenders into a line, one behind the other.
func formLockLine(l *lab, n int, who contenders, watch *bare) (*lockLine, error) {
	ctx, stop := context.WithCancel(l.ctx)
	q := &lockLine{l: l, path: l.path("lock"), entered: make(chan lockEntry, n), ctx: ctx, stop: stop}
	for i := range n {
		acquire, of, err := who(ctx, q.path, i)
		if err != nil {
			return nil, err
		}
		q.running.Go(func() { q.compete(acquire, of) })
		if i == 0 {
			if q.holder, err = receive(l, q.entered); err != nil {
				return nil, err
			}
		}
		if err := q.await(watch, i+1); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// await waits until so many stand in the line.
func (q *lockLine) await(watch *bare, n int) error {
	for {
		_, stat, err := watch.Exists(q.path)
		if err != nil || int(stat.NumChildren) >= n {
			return err
		}
		if q.ctx.Err() != nil {
			return context.Cause(q.ctx)
		}
		time.Sleep(time.Millisecond)
	}
}

func (q *lockLine) compete(acquire acquirer, of tied) {
	for q.ctx.Err() == nil {
		release, err := acquire()
		if err != nil {
			return
		}
		e := lockEntry{of, make(chan struct{}), time.Now()}
		select {
		case q.entered <- e:
		case <-q.ctx.Done():
		}
		select {
		case <-e.unlock:
		case <-q.ctx.Done():
		}
		_ = release() // who cannot release does not acquire again
	}
}

// handOver is from the delete request of the holder to the moment in which the next one has
// acquired the lock.
func (q *lockLine) handOver() (failover, error) {
	former := q.holder
	close(former.unlock)
	var err error
	if q.holder, err = receive(q.l, q.entered); err != nil {
		return failover{}, err
	}
	return since(former.of.stamp, q.holder.of.stamp, q.holder.at), nil
}

// close ends the line and waits for that. It is not for zk.Lock: those who wait there end with
// their sessions only.
func (q *lockLine) close() {
	q.stop()
	q.running.Wait()
}
