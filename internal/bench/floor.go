package main

import (
	"errors"
	"time"

	"github.com/go-zookeeper/zk"
)

// floor is what ZooKeeper itself takes to let one session know that a znode of another's is gone.
type floor struct {
	l    *lab
	path string
	by   map[string]*bare // one session for each server
	stop func()
}

func newFloor(l *lab, timeout time.Duration) (*floor, error) {
	all, stop, err := dialBares(l, len(l.addrs), timeout)
	if err != nil {
		return nil, err
	}
	f := &floor{l: l, path: l.path("floor"), by: map[string]*bare{}, stop: stop}
	for _, b := range all {
		f.by[b.server] = b
	}
	if _, err := all[0].Create(f.path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		stop()
		return nil, err
	}
	return f, nil
}

// A pair is a znode of one session that another watches.
type pair struct {
	f            *floor
	leaver, heir *bare
	node         string
	read         bool // once more after the event
	heard        chan time.Time
}

// prepare makes a pair on two servers. If read is set, the one that watches makes a small read when
// it has heard, as an heir must. On an overloaded machine a session may end in between, and its
// znode with it; the next try is made in a new one.
func (f *floor) prepare(from, to string, read bool) (p *pair, err error) {
	for range 5 {
		if p, err = f.tryPair(from, to, read); !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrSessionExpired) && !errors.Is(err, zk.ErrConnectionClosed) {
			break
		}
	}
	return p, err
}

func (f *floor) tryPair(from, to string, read bool) (*pair, error) {
	p := &pair{f: f, read: read, leaver: f.by[from], heir: f.by[to], heard: make(chan time.Time, 1)}
	// A name and data as long as those of a candidate.
	name := f.path + "/_c_00000000-0000-4000-8000-000000000000-latch-"
	node, err := p.leaver.Create(name, []byte("candidate"), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err != nil {
		return nil, err
	}
	p.node = node
	gone, err := f.watch(p.heir, node)
	if err != nil {
		return nil, err
	}
	go func() { // parked, as an heir is
		<-gone
		if p.read {
			_, _, _ = p.heir.Get(f.path)
		}
		p.heard <- time.Now()
	}()
	return p, nil
}

// fire deletes the znode and returns how long it took from the delete request until the goroutine
// that waits for the watch event runs.
func (p *pair) fire() (failover, error) {
	if err := p.leaver.Delete(p.node, -1); err != nil {
		return failover{}, errDeposed // as above
	}
	at, err := receive(p.f.l, p.heard)
	return since(p.leaver.stamp, p.heir.stamp, at), err
}

// watch watches a znode through a server that may have to catch up first.
func (f *floor) watch(heir *bare, node string) (<-chan zk.Event, error) {
	if _, err := heir.Sync(node); err != nil {
		return nil, err
	}
	_, _, gone, err := heir.GetW(node)
	return gone, err
}
