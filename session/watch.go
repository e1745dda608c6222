package session

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// A Watch follows one znode until Stop, by ZooKeeper's one-shot watches. Each [Watch.Get] or
// [Watch.Children] leaves a watch at the server. When that fires, or when the connection on which
// it was left is lost, the wake channel gets a signal. The owner then reads again. All Watches on
// one path share one watch at the server.
//
// A Watch belongs to one session and ends with it. Its methods may be called from any goroutine,
// but its reads only from one goroutine at a time.
type Watch struct {
	s    *Session
	path string
	full string // with the chroot; "" if the path is a bad one
	wake chan<- struct{}

	// Guarded by s.mu.
	kinds   watchKinds // that its reads leave
	armed   uint64     // the connection on which a read has left a watch that has not fired; 0 if none
	czxid   int64      // of the znode that the latest such read has shown
	events  uint64     // how many events have arrived
	deleted bool
	notice  string // see AwaitNotice; with the chroot; "" if none is awaited
	asked   uint64 // the connection on which the notice was asked for
	noticed bool
}

// Watch begins to watch the znode at path. Signals are sent to wake without blocking, so it must
// have room for one: Watch panics if it has none. Many Watches may share one wake channel. Stop
// ends the Watch.
func (s *Session) Watch(path string, wake chan<- struct{}) *Watch {
	checkWake(wake)
	w := &Watch{s: s, path: path, wake: wake}
	full, err := s.full(path)
	if err != nil {
		return w // its reads return the error
	}
	w.full = full
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[full] == nil {
		s.watches[full] = map[*Watch]struct{}{}
	}
	s.watches[full][w] = struct{}{}
	return w
}

// Stop ends the Watch. If nothing else in the session watches the path, the watch that was left at
// the server is removed about a second later, unless it has fired by then. Servers before 3.5.0
// keep it until it fires or the connection ends.
func (w *Watch) Stop() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.armed = 0 // no event reaches it any more
	delete(w.s.watches[w.full], w)
	if len(w.s.watches[w.full]) == 0 {
		delete(w.s.watches, w.full)
	}
	w.s.unwatch(w.full)
	w.stopNotice()
}

// Get reads the znode and leaves a watch on it. If the znode is missing (zk.ErrNoNode), Get leaves
// no watch: then a signal comes only when this session creates the znode.
func (w *Watch) Get(ctx context.Context) ([]byte, zk.Stat, error) {
	return armed(w, dataWatch, func() ([]byte, zk.Stat, error) { return w.s.Get(ctx, w.path) })
}

// Children lists the znode's children and leaves a watch on the list. If the znode is missing
// (zk.ErrNoNode), Children leaves no watch.
func (w *Watch) Children(ctx context.Context) ([]string, zk.Stat, error) {
	return armed(w, childWatch, func() ([]string, zk.Stat, error) { return w.s.Children(ctx, w.path) })
}

func armed[T any](w *Watch, kind watchKinds, read func() (T, zk.Stat, error)) (T, zk.Stat, error) {
	w.s.mu.Lock()
	connection, events := w.s.connection, w.events
	w.kinds |= kind
	w.s.mu.Unlock()
	v, stat, err := read()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	// An event or a reconnect in between may have ended the watch. Then it counts as not left, and
	// the signal of the event or the reconnect tells the owner to look again.
	switch {
	case w.s.connection != connection || connection == 0:
	case err == nil && w.events == events:
		w.armed, w.czxid = connection, stat.Czxid
	case errors.Is(err, zk.ErrNoNode):
		w.s.leftovers.take(w.full, kind)
	}
	return v, stat, err
}

// Armed reports whether the server will report the next change: a watch left on the present
// connection has not fired.
func (w *Watch) Armed() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.armed != 0 && w.armed == w.s.connection && w.s.state == StateConnected
}

// Deleted reports whether the server has ever reported that the znode was deleted. If its name is
// used only once, that is final.
func (w *Watch) Deleted() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.deleted
}

// notify signals an event of the server to the Watches. It runs in the goroutine that reads, and
// must not block.
func (s *Session) notify(kind zk.EventType, path string) {
	ev := zk.Event{Type: kind, State: zk.StateSyncConnected, Path: path}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Type == zk.EventNodeDeleted {
		s.ephemerals.remove(ev.Path)
	}
	s.leftovers.fired(ev)
	if ev.Type == zk.EventNodeCreated {
		s.hearNotice(ev.Path)
	}
	for w := range s.watches[ev.Path] {
		w.lookAgain()
		if ev.Type == zk.EventNodeDeleted {
			w.deleted = true
		}
	}
	for _, w := range s.trees {
		w.tell(ev)
	}
}

// lookAgain notes that no watch is left, and signals the owner. The caller holds s.mu.
func (w *Watch) lookAgain() {
	w.events++
	w.armed = 0
	notify.Signal(w.wake)
}

// wakeAll tells every Watch and Hold, and the session itself, to look again. The caller holds s.mu.
func (s *Session) wakeAll() {
	notify.Signal(s.wake)
	for _, ws := range s.watches {
		for w := range ws {
			notify.Signal(w.wake)
		}
	}
	for _, w := range s.trees {
		notify.Signal(w.wake)
	}
	for _, h := range s.holds {
		notify.Signal(h.wake)
	}
}

// checkWake refuses a channel in which signals would be lost.
func checkWake(wake chan<- struct{}) {
	if cap(wake) == 0 {
		panic("session: the wake channel has no room; want one with room for a signal")
	}
}
