package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// From 3.6.0 on a server has persistent recursive watches. Such a watch on a path fires each time
// that a znode at or below the path is created, changed or deleted. It is a mode of the watch that
// one connection has on a path. Before 3.9.0 such a watch had one mode only (ZOOKEEPER-4466). A
// later one-shot watch on the data of that path, by a read or by setWatches, silently turned the
// recursive mode off. Removing a one-shot watch removed the recursive one, too. And a recursive
// watch replaced a one-shot watch on the path's list of children. So this is done on all servers
// while there is a recursive watch on a path: reads of its data leave no watch, setWatches leaves
// the path out, and removeWatches is not sent for single watches. When the recursive watch was set
// or removed, all Watches and TreeWatches of the path get a signal to look again.

// modeRecursive is the mode of addWatch, see org.apache.zookeeper.AddWatchMode.
const modeRecursive = 1

// isRoot reports whether a request for a recursive watch on a path was sent on the present
// connection. The caller holds s.mu.
func (s *Session) isRoot(full string) bool {
	on, ok := s.roots[full]
	return ok && on == s.connection
}

// outsideRoots returns the paths on whose data watches can be left. The others have to be read. The
// caller holds s.mu.
func (w *TreeWatch) outsideRoots(paths []string) []string {
	if len(w.s.roots) == 0 {
		return paths
	}
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		full := w.s.rootedPath(path)
		if w.s.isRoot(full) {
			w.tell(zk.Event{Type: zk.EventNodeDataChanged, Path: full})
			return true
		}
		return false
	})
}

// cover leaves the recursive watch if the server supports it.
func (w *TreeWatch) cover(ctx context.Context, on link) error {
	s := w.s
	if s.unknown.has(on.server, wire.OpAddWatch) || !s.isRecent(ctx, on) {
		return nil
	}
	body := binary.BigEndian.AppendUint32(appendString(nil, w.full), modeRecursive)
	err := s.request(ctx, on.conn, wire.OpAddWatch, "addWatch", body, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.roots[w.full] = on.number
	})
	var code ServerError
	switch {
	case err == nil:
		s.mu.Lock()
		defer s.mu.Unlock()
		w.covered = on.number
		s.lookAgain(w.full, dataWatch|childWatch, w)
	case errors.Is(err, codeUnimplemented), errors.Is(err, codeMarshalling): // the latter with WatchManagerOptimized
		s.unknown.add(on.server, wire.OpAddWatch)
		fallthrough
	case errors.As(err, &code):
		// The znodes that were read meanwhile count as watched, but are not. No watch outlives its
		// connection.
		err = fmt.Errorf("%w (%v)", zk.ErrConnectionClosed, err)
		s.drop(on.conn, err)
	}
	return err
}

// uncover removes the recursive watch on a path if no tree needs it. The caller holds s.mu.
func (s *Session) uncover(full string) {
	if s.over || !s.isRoot(full) || s.needsRoot(full) {
		return
	}
	on := s.link()
	s.calls.Add(1)
	go func() {
		defer s.calls.Done()
		done, err := s.settling(s.ctx)
		if err != nil {
			return
		}
		defer done()
		s.mu.Lock()
		needed := s.connection != on.number || s.needsRoot(full)
		s.mu.Unlock()
		if needed || s.removeWatches(s.ctx, on, full, dataWatch|childWatch) != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.connection == on.number {
			delete(s.roots, full)
			s.leftovers.take(full, dataWatch|childWatch)
			s.lookAgain(full, dataWatch|childWatch, nil)
		}
	}()
}

// needsRoot reports whether a tree has that path and needs one watch for all its znodes. The caller
// holds s.mu.
func (s *Session) needsRoot(full string) bool {
	return slices.ContainsFunc(s.trees, func(w *TreeWatch) bool { return w.whole && w.full == full })
}
