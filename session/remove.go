package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// EnsureDeleted deletes the znode at path, of any version, and tries again until it is gone. The
// operations in with are zk's. They are carried out in the same multi as the deletion, or not at
// all: if one of them is refused, the znode is deleted without them. EnsureDeleted returns nil when
// the znode is gone. It returns an error if ctx or the session ends, or if the deletion is refused.
// If many goroutines delete znodes at the same time, a few batches carry the deletions.
//
// Use it for names that are not used again. An attempt whose answer was lost may be carried out
// later, and would delete another znode of that name. For such names use [Session.Delete] with a
// version that a later znode does not have.
func (s *Session) EnsureDeleted(ctx context.Context, path string, with ...any) error {
	ops := append(with[:len(with):len(with)], &zk.DeleteRequest{Path: path, Version: -1})
	once := func() (string, error) { return "", s.deleteOnce(ctx, path, ops) }
	// At most one attempt is made in a batch, so that no caller waits for the retries of another.
	_, err := s.deletes.do(ctx, &pending{op: "delete", path: path, ops: ops, alone: once})
	if (retryable(err) || OutcomeOf(err) == OutcomeUnknown) && ctx.Err() == nil && s.Err() == nil {
		err = s.write(ctx, OutcomeOf(err) == OutcomeUnknown, func() error { return s.deleteOnce(ctx, path, ops) })
	}
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// deleteOnce makes one attempt. If an operation that goes with the deletion is refused, the
// deletion is sent alone.
func (s *Session) deleteOnce(ctx context.Context, path string, ops []any) error {
	for refused := true; refused && len(ops) > 1; {
		last := len(ops) - 1
		results, err := s.Multi(ctx, ops...)
		deleting := len(results) > last && results[last].Error != nil && errors.Is(err, results[last].Error)
		if err == nil || OutcomeOf(err) == OutcomeUnknown || deleting || retryable(err) {
			return err
		}
		ops, refused = s.WithoutNotice(ops, results)
	}
	return s.Delete(ctx, path, -1)
}

// DeleteInBackground deletes an ephemeral znode of the session in the background, for a caller that
// cannot wait until it is gone. The operations in with are those of [Session.EnsureDeleted]. If the
// deletion is refused, the session is ended: nothing else would delete the place in line. gone, if
// it is not nil, is called afterwards.
func (s *Session) DeleteInBackground(path string, gone func(), with ...any) {
	if gone == nil {
		gone = func() {}
	}
	if s.begin(s.ctx) != nil {
		gone() // the session is over, and its znodes are deleted with it
		return
	}
	go func() {
		defer s.calls.Done()
		defer gone()
		s.removeOrEnd(path, with...)
	}()
}

// removeOrEnd deletes a znode that no caller knows any more. If that is refused, it ends the
// session, and the znode is deleted with the session.
func (s *Session) removeOrEnd(path string, with ...any) {
	if err := s.EnsureDeleted(s.ctx, path, with...); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(fmt.Errorf("%w: %s cannot be deleted: %w", ErrStray, path, err))
	}
}
