package session

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A TreeWatch follows the znodes at and below one path until Stop, for code that keeps a copy of
// many of them. [Watch] is for a single znode.
//
// Each [TreeWatch.Get] or [TreeWatch.Children] leaves a one-shot watch at the server, unless one
// persistent watch covers all of them. All events are collected, and the wake channel gets a
// signal; [TreeWatch.Events] returns the events. A watch ends with its connection. Then
// [TreeWatch.Restore] leaves all watches again without reading a znode: the server itself tells
// which znodes have changed meanwhile.
//
// A TreeWatch belongs to one session and ends with it. Its methods may be called from any
// goroutine.
type TreeWatch struct {
	s     *Session
	full  string // with the chroot; "" if the path is a bad one
	whole bool   // one watch for all, if the server supports that
	wake  chan<- struct{}

	// Guarded by s.mu.
	reading map[string]int // paths, with the chroot, that are being read
	events  []zk.Event     // not fetched yet
	since   int64          // all changes up to this zxid were reported on earlier connections
	armed   uint64         // the connection on which all watches are set; 0 if none
	covered uint64         // the connection on which one watch for all is set
}

// WatchTree begins to watch the znodes at and below path. since is the value that [TreeWatch.Since]
// has returned in the session before, or 0. If whole is true, all znodes below the path matter:
// then Restore leaves a single watch for all of them, if the server has 3.6.0 or newer. With that
// watch there are events of znodes that are created, changed and deleted, but no events of lists of
// children. Signals are sent to wake without blocking, so it must have room for one: WatchTree
// panics if it has none. Stop ends the TreeWatch.
func (s *Session) WatchTree(path string, since int64, whole bool, wake chan<- struct{}) *TreeWatch {
	checkWake(wake)
	w := &TreeWatch{s: s, whole: whole, wake: wake, since: since, reading: map[string]int{}}
	full, err := s.full(path)
	if err != nil {
		return w // its reads return the error
	}
	w.full = full
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trees = append(s.trees, w)
	return w
}

// Stop ends the TreeWatch. A single watch for all is removed. One-shot watches stay at the server
// until they fire or the connection ends.
func (w *TreeWatch) Stop() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.trees = without(w.s.trees, w)
	w.s.uncover(w.full)
}

// Get reads the znode at path and leaves a watch on its data. connection is the number of the
// connection on which the watch is set. It is 0 if that connection has been lost already. A missing
// znode (zk.ErrNoNode) leaves no watch.
func (w *TreeWatch) Get(ctx context.Context, path string) (data []byte, stat zk.Stat, connection uint64, err error) {
	connection, err = w.read(path, func() error { data, stat, err = w.s.Get(ctx, path); return err })
	return data, stat, connection, err
}

// Children lists the znode's children and leaves a watch on the list, as Get does on data.
func (w *TreeWatch) Children(ctx context.Context, path string) (names []string, stat zk.Stat, connection uint64, err error) {
	connection, err = w.read(path, func() error { names, stat, err = w.s.Children(ctx, path); return err })
	return names, stat, connection, err
}

// read makes a read that leaves a watch.
func (w *TreeWatch) read(path string, request func() error) (connection uint64, err error) {
	full, err := w.s.full(path)
	if err != nil {
		return 0, err
	}
	connection = w.count(full, 1)
	err = request()
	if w.count(full, -1) != connection {
		connection = 0
	}
	return connection, err
}

// count adds n to the number of reads of the path that are under way, and returns the number of the
// present connection.
func (w *TreeWatch) count(full string, n int) uint64 {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.reading[full] += n; w.reading[full] == 0 {
		delete(w.reading, full)
	}
	return w.s.connection
}

// treesRead reports whether a read of the path should leave a watch for a tree. The caller holds
// s.mu.
func (s *Session) treesRead(full string) bool {
	for _, w := range s.trees {
		if w.reading[full] > 0 && w.covered != s.connection {
			return true
		}
	}
	return false
}

// Events returns, in order, the events that have arrived since the last call. Their paths are
// without the chroot. If the server sent an event before a reply, Events has the event when the
// call that got the reply returns.
func (w *TreeWatch) Events() []zk.Event {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

// contains reports whether a path, with the chroot, is in the tree.
func (w *TreeWatch) contains(full string) bool {
	return full == w.full || w.full == "/" || strings.HasPrefix(full, w.full+"/")
}

// tell takes an event. The caller holds s.mu.
func (w *TreeWatch) tell(ev zk.Event) {
	if !w.contains(ev.Path) {
		return
	}
	if w.covered == w.s.connection && ev.Type == zk.EventNodeChildrenChanged {
		return // of an earlier one-shot watch; there is an event of each child, too
	}
	if ev.Path = strings.TrimPrefix(ev.Path, w.s.chroot); ev.Path == "" {
		ev.Path = "/"
	}
	w.events = append(w.events, ev)
	notify.Signal(w.wake)
}

// broken notes that there is another connection. The caller holds s.mu.
func (w *TreeWatch) broken() {
	if w.armed != 0 && w.armed == w.s.connection {
		w.since = w.s.latestZxid() // on the new one, nothing has been answered yet
	}
	w.armed = 0
}

// Armed reports whether the server will report the next change: all watches are set. Then Restore
// has succeeded on the present connection.
func (w *TreeWatch) Armed() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.armed != 0 && w.armed == w.s.connection && w.s.state == StateConnected
}

// Covered returns the number of the connection on which one recursive watch covers the whole tree,
// or 0 if there is none. A read on that connection that begins after Covered has returned need not
// set a watch: each later change causes an event.
func (w *TreeWatch) Covered() uint64 {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.covered != w.s.connection {
		return 0
	}
	return w.covered
}

// Connection returns the number of the present connection. A read that begins now leaves its watch
// on that connection.
func (w *TreeWatch) Connection() uint64 {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.connection
}

// Since returns the transaction up to which all changes have been reported, for the next session's
// WatchTree.
func (w *TreeWatch) Since() int64 {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.armed != 0 && w.armed == w.s.connection {
		return w.s.latestZxid()
	}
	return w.since
}

// latestZxid returns the latest transaction in the answers to our own requests. The caller holds
// s.mu.
func (s *Session) latestZxid() int64 {
	if s.conn == nil {
		return 0
	}
	return s.conn.Zxid()
}

// restoreBytes bounds one request of Restore. It is far below what a server accepts.
const restoreBytes = 128 << 10

// Restore waits for a connection and leaves watches again: on the data and on the lists of children
// of these znodes. If a znode has changed, or was deleted, after the transaction up to which all
// changes have been reported, there is an event instead. Restore sends one request for each 128 KiB
// of paths. It does so only on the connection of that number. On another connection it does
// nothing, and Armed still returns false.
//
// The single watch for all is set last, so that nothing is missed in between. A server handles the
// requests of a connection one after another. If a change comes before the one-shot watches are
// set, it is reported when they are set. If it comes later, it fires a watch and is reported, and
// the next read leaves another watch, until the single one is set.
//
// If the servers have gone back to an older state, everything counts as changed. Only a session
// whose reads show all earlier writes can see that. So let a write be answered before you call
// Restore.
func (w *TreeWatch) Restore(ctx context.Context, connection uint64, data, children []string) error {
	s := w.s
	if err := s.awaitUp(ctx); err != nil {
		return err
	}
	done, err := s.settling(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	on, since := s.link(), w.since
	if since > s.latestZxid() {
		since = 0
	}
	data = w.outsideRoots(data)
	s.mu.Unlock()
	if on.number != connection {
		return nil // Armed reports that nothing was done
	}
	for len(data)+len(children) > 0 {
		var body []byte
		body, data, children = s.setWatches(since, data, children)
		if err := s.request(ctx, on.conn, wire.OpSetWatches, "setWatches", body, nil); err != nil {
			return err
		}
	}
	if w.whole {
		if err := w.cover(ctx, on); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connection == connection {
		w.armed = connection
	}
	return nil
}

// setWatches encodes as many of the paths as one request can hold, and returns the rest.
func (s *Session) setWatches(since int64, data, children []string) (body []byte, _, _ []string) {
	body = binary.BigEndian.AppendUint64(make([]byte, 0, 4<<10), uint64(since))
	body, data = s.appendPaths(body, data)
	body = binary.BigEndian.AppendUint32(body, 0) // watches on the existence of what is missing
	body, children = s.appendPaths(body, children)
	return body, data, children
}

func (s *Session) appendPaths(body []byte, paths []string) (_ []byte, rest []string) {
	at, n := len(body), 0
	for body = append(body, 0, 0, 0, 0); n < len(paths) && len(body) < restoreBytes; n++ {
		body = appendString(body, s.rootedPath(paths[n]))
	}
	binary.BigEndian.PutUint32(body[at:], uint32(n))
	return body, paths[n:]
}

// rootedPath puts the chroot before a valid path.
func (s *Session) rootedPath(path string) string {
	if path == "/" && s.chroot != "" {
		return s.chroot
	}
	return s.chroot + path
}

func appendString(p []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(p, uint32(len(s))), s...)
}

// request makes a request about watches on one connection. sending is called right before it is
// sent, see [wire.Request.Sending].
func (s *Session) request(ctx context.Context, conn *wire.Conn, op int32, name string, body []byte, sending func()) error {
	_, err := s.sendOn(ctx, conn, s.ask, name, "", &wire.Request{Ops: []wire.Op{{Kind: op, Body: body}}, Sending: sending})
	return err
}
