package session

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// If the waits of a client end before their watches fire, the client leaves more and more watches
// at the server. An example is a lock that many try with a timeout. From 3.5.0 on such watches can
// be removed.

const (
	// removeAfter is how long a watch stays that nobody needs any more. Most such watches fire
	// before that, for example when a lock is released, or are needed again, for example by the
	// next attempt at a lock.
	removeAfter = time.Second
	// removeAtOnce is how many removals are under way at once.
	removeAtOnce = 16
)

// watchKinds are kinds of one-shot watches at a server.
type watchKinds uint8

const (
	dataWatch watchKinds = 1 << iota
	childWatch
)

// leftovers are the one-shot watches that reads for a [Watch] may have left on the present
// connection. The session's mu guards them.
type leftovers struct {
	kinds    map[string]watchKinds // by path, with the chroot
	unwanted map[string]struct{}   // where a Watch has ended
	removing bool                  // removeUnwanted is running
}

// fired removes from kinds the watches that have fired.
func (l *leftovers) fired(ev zk.Event) {
	switch ev.Type {
	case zk.EventNodeDataChanged, zk.EventNodeCreated:
		l.take(ev.Path, dataWatch)
	case zk.EventNodeChildrenChanged:
		l.take(ev.Path, childWatch)
	case zk.EventNodeDeleted:
		l.take(ev.Path, dataWatch|childWatch)
	}
}

func (l *leftovers) take(path string, kinds watchKinds) {
	if left := l.kinds[path] &^ kinds; left != 0 {
		l.kinds[path] = left
		return
	}
	delete(l.kinds, path)
}

// wantsWatch reports whether a read that is being sent is to leave a watch.
func (s *Session) wantsWatch(path string, op int32) bool {
	kind := dataWatch // that of exists, too
	if op == wire.OpGetChildren2 {
		kind = childWatch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case op == wire.OpExists:
		if len(s.notices[path]) == 0 {
			return false
		}
	case kind == dataWatch && s.isRoot(path):
		return false
	case len(s.watches[path]) == 0:
		return s.treesRead(path)
	}
	if s.leftovers.kinds == nil {
		s.leftovers.kinds = map[string]watchKinds{}
	}
	s.leftovers.kinds[path] |= kind
	return true
}

// unneeded returns which watches on a path nobody needs any more. The caller holds s.mu.
func (s *Session) unneeded(path string) watchKinds {
	kinds := s.leftovers.kinds[path]
	for w := range s.watches[path] {
		kinds &^= w.kinds
	}
	if len(s.notices[path]) > 0 {
		kinds &^= dataWatch
	}
	for _, w := range s.trees {
		if w.contains(path) && !s.isNotice(path) && (w.covered != s.connection || w.full == path) {
			return 0
		}
	}
	return kinds
}

// unwatch notes that a Watch on a path has ended. The caller holds s.mu.
func (s *Session) unwatch(path string) {
	l := &s.leftovers
	if s.over || s.unneeded(path) == 0 {
		return
	}
	if l.unwanted == nil {
		l.unwanted = map[string]struct{}{}
	}
	l.unwanted[path] = struct{}{}
	if !l.removing {
		l.removing = true
		s.calls.Add(1)
		go s.removeUnwanted()
	}
}

// removeUnwanted removes watches until no watch is left to remove.
func (s *Session) removeUnwanted() {
	defer s.calls.Done()
	for {
		if clock.Sleep(s.ctx, s.clock, removeAfter) != nil {
			return
		}
		done, err := s.settling(s.ctx)
		if err != nil {
			return
		}
		s.mu.Lock()
		paths, on := s.leftovers.unwanted, s.link()
		s.leftovers.unwanted = nil
		s.mu.Unlock()
		s.removeAll(paths, on)
		done()
		s.mu.Lock()
		s.leftovers.removing = len(s.leftovers.unwanted) > 0
		more := s.leftovers.removing
		s.mu.Unlock()
		if !more {
			return
		}
	}
}

// removeAll removes the watches on these paths that nobody needs, on one connection.
func (s *Session) removeAll(paths map[string]struct{}, on link) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, removeAtOnce)
	for path := range paths {
		s.mu.Lock()
		unneeded := s.connection == on.number && s.unneeded(path) != 0
		s.mu.Unlock()
		if !unneeded {
			continue
		}
		if !s.isRecent(s.ctx, on) {
			s.mu.Lock()
			s.noRemoval = on.number
			s.mu.Unlock()
			return
		}
		places <- struct{}{}
		all.Go(func() {
			s.remove(path, on)
			<-places
		})
	}
}

// remove removes the watches on a path that nobody needs.
func (s *Session) remove(path string, on link) {
	s.mu.Lock()
	kinds := s.unneeded(path)
	if s.connection != on.number || kinds == 0 {
		s.mu.Unlock()
		return
	}
	s.leftovers.take(path, kinds)
	s.mu.Unlock()
	err := s.removeWatches(s.ctx, on, path, kinds)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.connection == on.number {
		// A Watch that has begun meanwhile may have lost its watch, too.
		s.lookAgain(path, kinds, nil)
	}
}

// lookAgain tells all Watches and TreeWatches of a path, except one, that watches of these kinds
// may be gone. The caller holds s.mu.
func (s *Session) lookAgain(path string, kinds watchKinds, except *TreeWatch) {
	for w := range s.watches[path] {
		if w.kinds&kinds != 0 {
			w.lookAgain()
		}
	}
	if kinds&dataWatch != 0 {
		for w := range s.notices[path] {
			w.asked = 0
			notify.Signal(w.wake)
		}
	}
	for _, w := range s.trees {
		if w != except {
			w.tell(zk.Event{Type: zk.EventNodeDataChanged, Path: path})
			w.tell(zk.Event{Type: zk.EventNodeChildrenChanged, Path: path})
		}
	}
}

// removeWatches asks the server to remove the watches of these kinds on a path.
func (s *Session) removeWatches(ctx context.Context, on link, path string, kinds watchKinds) error {
	// Types of org.apache.zookeeper.Watcher.WatcherType: Children, Data, Any.
	kind := map[watchKinds]uint32{childWatch: 1, dataWatch: 2, dataWatch | childWatch: 3}[kinds]
	err := s.request(ctx, on.conn, wire.OpRemoveWatches, "removeWatches", binary.BigEndian.AppendUint32(appendString(nil, path), kind), nil)
	switch {
	case errors.Is(err, codeNoWatcher): // it has fired
		return nil
	case errors.Is(err, codeUnimplemented): // the server is an older one that has its state from a newer one
		s.unknown.add(on.server, wire.OpRemoveWatches)
	}
	return err
}

// settling waits until no other goroutine leaves or removes watches by setWatches, addWatch or
// removeWatches: the next may begin when the former has its answers. The caller calls done when it
// has its answers.
func (s *Session) settling(ctx context.Context) (done func(), err error) {
	select {
	case s.settle <- struct{}{}:
		return func() { <-s.settle }, nil
	case <-ctx.Done():
		return nil, endOf(ctx)
	case <-s.ctx.Done():
		return nil, endOf(s.ctx)
	}
}

// configPath is a znode that servers have from 3.5.0 on.
const configPath = "/zookeeper/config"

// age is what is known of the server of one connection.
type age struct {
	connection uint64
	recent     bool // it has 3.5.0 or newer
}

// isRecent reports whether the server of a connection has release 3.5.0 or newer, which knows
// removeWatches. An older server would close the connection.
func (s *Session) isRecent(ctx context.Context, on link) bool {
	s.mu.Lock()
	known := s.age
	s.mu.Unlock()
	switch {
	case s.unknown.has(on.server, wire.OpRemoveWatches):
		return false
	case known.connection == on.number:
		return known.recent
	}
	_, err := s.sendOne(ctx, "exists", configPath, wire.Op{Kind: wire.OpExists, Path: configPath})
	found := err == nil || errors.Is(err, zk.ErrNoAuth)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connection != on.number {
		return false
	}
	if found || errors.Is(err, zk.ErrNoNode) {
		s.age = age{on.number, found}
	}
	return found
}

// unknownOps are the operations that servers do not know, as the sessions of a client have found
// out. A server that does not know an operation closes the connection, so it is asked only once.
type unknownOps struct {
	mu  sync.Mutex
	ops map[string]map[int32]bool // by server
}

func (u *unknownOps) add(server string, op int32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ops == nil {
		u.ops = map[string]map[int32]bool{}
	}
	if u.ops[server] == nil {
		u.ops[server] = map[int32]bool{}
	}
	u.ops[server][op] = true
}

func (u *unknownOps) has(server string, op int32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ops[server][op]
}
