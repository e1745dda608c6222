package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// EnsureDeleted deletes the znode at path, of any version, and tries again until it is gone. The
// operations with are zk's. They are carried out in the same multi as the deletion, or not at
// all: if one of them is refused, the znode is deleted without them. EnsureDeleted returns nil once the
// znode is gone, or an error when ctx or the session ends, or deleting is refused. What many
// goroutines delete at the same time goes in a few batches.
func (s *Session) EnsureDeleted(ctx context.Context, path string, with ...any) error {
	ops := append(with[:len(with):len(with)], &zk.DeleteRequest{Path: path, Version: -1})
	err := s.removeSoon(ctx, path, ops)
	if err == errAlone || retryable(err) && ctx.Err() == nil && s.Err() == nil {
		err = s.removeAlone(ctx, path, ops)
	}
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// removeSoon tries once, alone or in a batch. It does not retry, so that no caller waits for the
// retries of another.
func (s *Session) removeSoon(ctx context.Context, path string, ops []any) error {
	p := newDelete(ops)
	queued, first := s.enqueue(&s.removals, p)
	if first {
		defer s.sendQueue(&s.removals)
	}
	if !queued {
		return s.removeOnce(ctx, path, ops)
	}
	select {
	case a := <-p.done:
		if a.err != nil { // perhaps about another operation of the batch
			return errAlone
		}
		return nil
	case <-ctx.Done():
		return &Error{Op: "delete", Path: path, Outcome: OutcomeUnknown, Err: endOf(ctx)}
	}
}

// removeOnce makes one attempt. If an operation that goes with the deletion is refused, the deletion is
// sent alone.
func (s *Session) removeOnce(ctx context.Context, path string, ops []any) error {
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

func (s *Session) removeAlone(ctx context.Context, path string, ops []any) error {
	_, err := again(ctx, s, func() (struct{}, error) { return struct{}{}, s.removeOnce(ctx, path, ops) })
	return err
}

// DeleteInBackground deletes an ephemeral znode of the session in the background, for a caller
// who cannot wait until it is gone, with operations as [Session.EnsureDeleted] has them. If deleting
// is refused the session is ended: nothing else would free the place in line. gone, if it is not
// nil, is called afterwards.
func (s *Session) DeleteInBackground(path string, gone func(), with ...any) {
	if gone == nil {
		gone = func() {}
	}
	if s.begin(s.ctx) != nil {
		gone() // the session is over, and the znode goes with it
		return
	}
	go func() {
		defer s.calls.Done()
		defer gone()
		s.removeOrEnd(path, with...)
	}()
}

// removeOrEnd deletes a znode that nobody knows of any more, or ends the session, which
// takes the znode with it.
func (s *Session) removeOrEnd(path string, with ...any) {
	if err := s.EnsureDeleted(s.ctx, path, with...); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(fmt.Errorf("%w: %s cannot be deleted: %w", ErrStray, path, err))
	}
}
