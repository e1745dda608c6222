package session

import (
	"path"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
)

// An event of ZooKeeper tells that a znode is gone, but not why. Who has to know whether its owner
// announced that would have to read something first, while nobody holds anything. So a transaction in
// which an owner leaves also creates a znode of a name that nobody else uses, and deletes it again.
// That znode is never there, but who waits for its creation has an event of that: the notice.

// noticePath returns the znode whose creation is the notice for a place.
func (s *Session) noticePath(place string) string { return join(s.cfg.Beats, path.Base(place)) }

// Notice returns the operations that give notice of the end of a place, for the transaction that
// deletes it. If they stand before the deletion, a [Watch] of the place is [Watch.Noticed]. If they
// stand behind it, the notice only frees the servers from watches that wait for it. There are none if
// this session must not give notice.
func (s *Session) Notice(place string) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent {
		return nil
	}
	p := s.noticePath(place)
	return []any{&zk.CreateRequest{Path: p}, &zk.DeleteRequest{Path: p, Version: -1}}
}

// WithoutNotice returns the operations of a transaction without those of a notice, if it was refused
// because of these: the session may create heartbeats, perhaps, but not delete a znode beside them.
// It gives no notice any more.
func (s *Session) WithoutNotice(ops []any, results []zk.MultiResponse) (rest []any, refused bool) {
	ofNotice := func(op any) bool {
		_, path := describeOp(op)
		return strings.HasPrefix(path, join(s.cfg.Beats, ""))
	}
	failed := slices.IndexFunc(results, func(r zk.MultiResponse) bool { return r.Error != nil })
	if failed < 0 || failed >= len(ops) || !ofNotice(ops[failed]) {
		return ops, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
	return slices.DeleteFunc(slices.Clone(ops), ofNotice), true
}

// AwaitNotice asks the server to tell of the notice for the place that w watches, on the present
// connection, in the background. It may be called again: after a reconnect that is needed. Where
// the session must not give notice itself it does nothing, because others may not either.
func (w *Watch) AwaitNotice() {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.silent || w.full == "" || s.state != StateConnected || w.asked == s.connection {
		return
	}
	path := s.noticePath(w.path)
	w.asked, w.notice = s.connection, s.chroot+path
	if s.notices[w.notice] == nil {
		s.notices[w.notice] = map[*Watch]struct{}{}
	}
	s.notices[w.notice][w] = struct{}{}
	s.calls.Add(1)
	go func() {
		defer s.calls.Done()
		_, _, _ = s.Exists(s.ctx, path) // without an answer there is no notice
	}()
}

// Noticed reports whether notice was given while w was armed. Then the place was there when w was
// read, and its deletion has not been told, though the server tells of all changes in their order. So
// one transaction has given notice and deleted the place, in this order. Whoever else should give
// notice for a place that is gone, is not heard.
func (w *Watch) Noticed() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.noticed
}

// hearNotice notes a notice. The caller holds s.mu.
func (s *Session) hearNotice(path string) {
	for w := range s.notices[path] {
		if w.armed != 0 && w.armed == s.connection {
			w.noticed = true
			signal(w.wake)
		}
	}
}

// stopNotice ends the wait for notice. The caller holds s.mu.
func (w *Watch) stopNotice() {
	delete(w.s.notices[w.notice], w)
	if len(w.s.notices[w.notice]) == 0 {
		delete(w.s.notices, w.notice)
	}
}
