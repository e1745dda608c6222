package session

import (
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// An owner that has finished gives notice: the transaction that deletes its place also creates a
// znode with a name that nobody else uses, and deletes it again. No read ever shows that znode, but
// a session that waits for its creation gets an event: the notice. The notice counts only when the
// place is gone, because other sessions could forge a notice. The reason for notices: an event of
// ZooKeeper tells that a znode is gone, but not why. To learn whether its owner had finished, other
// sessions would need a read, and until its answer nobody would hold anything.

// noticePath returns the path of the znode whose creation is the notice for a place. Places that
// were created together in several directories can have the same name. They must not have the same
// notice.
func (s *Session) noticePath(place string) string {
	dir := sha256.Sum256([]byte(path.Dir(s.chroot + place)))
	return join(s.cfg.Beats, fmt.Sprintf("%s-%x", path.Base(place), dir[:8]))
}

// isNotice reports whether a path, with the chroot, has the form of a notice's path.
func (s *Session) isNotice(full string) bool {
	name, ok := strings.CutPrefix(full, s.chroot+join(s.cfg.Beats, ""))
	return ok && noticeName.MatchString(name)
}

var noticeName = regexp.MustCompile(`^[^/]+-[0-9a-f]{16}$`)

// Notice returns the operations that give notice: the owner of a place has finished. They belong
// into the transaction in which the owner deletes the place; see [Watch.AwaitNotice]. If this
// session has no permission to give notice, there are none. The name of the place must be unique,
// as those of [Session.CreatePlace] are. Only the owner may give notice.
func (s *Session) Notice(place string) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noNotice {
		return nil
	}
	p := s.noticePath(place)
	return []any{&zk.CreateRequest{Path: p}, &zk.DeleteRequest{Path: p, Version: -1}}
}

// WithoutNotice takes a transaction that failed, whose last operation deletes the place. If an
// operation of the notice was refused, it returns the other operations, and refused is true. Then
// the session gives no notice any more: it may be allowed to create heartbeats, but not to delete a
// znode in their directory.
func (s *Session) WithoutNotice(ops []any, results []zk.MultiResponse) (rest []any, refused bool) {
	failed := slices.IndexFunc(results, func(r zk.MultiResponse) bool { return r.Error != nil })
	if failed < 0 || failed >= len(ops) {
		return ops, false
	}
	last, _ := operation(ops[len(ops)-1])
	notice := s.noticePath(last.Path)
	ofNotice := func(op any) bool { // other operations may be about the same directory
		o, _ := operation(op)
		return o.Path == notice
	}
	if !ofNotice(ops[failed]) {
		return ops, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noNotice = true
	return slices.DeleteFunc(slices.Clone(ops), ofNotice), true
}

// AwaitNotice asks the server to send the notice for the place that w watches. It sends the request
// once, on the present connection, and does not wait for the answer. The channel is closed when the
// server has answered or the connection is lost, or at once if no request is sent. Call AwaitNotice
// again after a reconnect, or if it is not certain that the server has received the request. No
// request is sent in four cases: there is no connection; it was sent on this connection already;
// this session has no permission to give notice, so perhaps others do not have it either; or the
// server cannot remove watches, and would keep a watch for a notice that does not come.
func (w *Watch) AwaitNotice() (answered <-chan struct{}) {
	done := make(chan struct{})
	if conn, full := w.awaitNotice(); conn == nil {
		close(done)
	} else {
		exists := &wire.Request{Ops: []wire.Op{{Kind: wire.OpExists, Path: full}}}
		w.s.ask(conn, exists, func(_ []wire.Result, err error) {
			if retryable(err) {
				w.askAgain()
			}
			close(done)
		})
	}
	return done
}

// askAgain lets the next AwaitNotice ask again, because the server did not take the request. Until
// then there may be no notice.
func (w *Watch) askAgain() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.asked = 0
}

// awaitNotice notes that w waits for the notice. It returns the connection and the path for the
// request, or nil if no request is to be sent.
func (w *Watch) awaitNotice() (conn *wire.Conn, full string) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.noNotice || w.full == "" || s.state != StateConnected || w.asked == s.connection || s.noRemoval == s.connection {
		return nil, ""
	}
	w.asked, w.notice = s.connection, s.chroot+s.noticePath(w.path)
	if s.notices[w.notice] == nil {
		s.notices[w.notice] = map[*Watch]struct{}{}
	}
	s.notices[w.notice][w] = struct{}{}
	return s.conn, w.notice
}

// Noticed reports whether notice was given: the owner of the place had finished, and has deleted
// it. The event of the deletion arrives a moment later. Wait for that event, because a session that
// may create heartbeats can forge a notice.
func (w *Watch) Noticed() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.noticed
}

// hearNotice notes that notice was given. It gives no signal, because the notice does not count
// before the event of the deletion, which follows. The caller holds s.mu.
func (s *Session) hearNotice(path string) {
	for w := range s.notices[path] {
		w.noticed = true
	}
}

// stopNotice ends the wait for notice. The caller holds s.mu.
func (w *Watch) stopNotice() {
	if w.notice == "" {
		return
	}
	delete(w.s.notices[w.notice], w)
	if len(w.s.notices[w.notice]) == 0 {
		delete(w.s.notices, w.notice)
		w.s.unwatch(w.notice)
	}
	w.notice = ""
}
