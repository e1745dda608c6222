package main

import (
	"context"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// locks is a line of zk.Lock, the recipe of the zk package itself.
type locks struct {
	l       *lab
	entered chan lockEntry
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	holder  lockEntry
}

type lockEntry struct {
	session *bare
	unlock  chan struct{}
	at      time.Time
}

// formLocks puts n locks into a line, on the sessions in turn.
func formLocks(l *lab, n int, sessions []*bare) (*locks, error) {
	ctx, stop := context.WithCancel(l.ctx)
	ls := &locks{l: l, entered: make(chan lockEntry, n), ctx: ctx, stop: stop}
	path := l.path("lock")
	for i := range n {
		ls.running.Go(func() { ls.compete(path, sessions[i%len(sessions)]) })
		if i == 0 {
			var err error
			if ls.holder, err = receive(l, ls.entered); err != nil {
				return nil, err
			}
		}
		if err := ls.await(sessions[0], path, i+1); err != nil {
			return nil, err
		}
	}
	return ls, nil
}

// await waits until so many stand in the line.
func (ls *locks) await(s *bare, path string, n int) error {
	for {
		_, stat, err := s.Exists(path)
		if err != nil || int(stat.NumChildren) >= n {
			return err
		}
		if ls.ctx.Err() != nil {
			return context.Cause(ls.ctx)
		}
		time.Sleep(time.Millisecond)
	}
}

func (ls *locks) compete(path string, s *bare) {
	for ls.ctx.Err() == nil {
		lock := zk.NewLock(s.Conn, path, zk.WorldACL(zk.PermAll))
		if lock.Lock() != nil {
			return // the session is closed
		}
		e := lockEntry{s, make(chan struct{}), time.Now()}
		select {
		case ls.entered <- e:
		case <-ls.ctx.Done():
		}
		select {
		case <-e.unlock:
		case <-ls.ctx.Done():
		}
		lock.Unlock()
	}
}

// handOver is that of a line of ours.
func (ls *locks) handOver() (failover, error) {
	former := ls.holder
	close(former.unlock)
	var err error
	if ls.holder, err = receive(ls.l, ls.entered); err != nil {
		return failover{}, err
	}
	return since(former.session.stamp, ls.holder.session.stamp, ls.holder.at), nil
}
