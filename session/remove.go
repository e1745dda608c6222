package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// Remove deletes the znode at path and does not stop before it is gone: whatever its
// version, and whatever became of earlier attempts. It returns nil once the znode is
// gone, or an error when ctx or the session ends, or deleting is refused. What many
// goroutines remove at the same time goes in a few requests.
func (s *Session) Remove(ctx context.Context, path string) error {
	err := s.removeSoon(ctx, path)
	if err == errAlone || retryable(err) && ctx.Err() == nil && s.Err() == nil {
		err = s.removeAlone(ctx, path)
	}
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// removeSoon tries once, alone or together with others, so that nobody has to wait for
// what takes another many attempts.
func (s *Session) removeSoon(ctx context.Context, path string) error {
	w := newDelete(path)
	queued, first := s.gather(&s.removals, w)
	if first {
		defer s.carryOut(&s.removals)
	}
	if !queued {
		return s.Delete(ctx, path, -1)
	}
	select {
	case g := <-w.done:
		if g.err != nil { // whatever it was: it need not be about this one
			return errAlone
		}
		return nil
	case <-ctx.Done():
		return &Error{Op: "delete", Path: path, Outcome: Unknown, Err: context.Cause(ctx)}
	}
}

func (s *Session) removeAlone(ctx context.Context, path string) error {
	_, err := repeat(ctx, s, "delete", path, func(full string) (struct{}, error) {
		return struct{}{}, s.zk.Delete(full, -1)
	})
	return err
}

// Abandon deletes an ephemeral znode of the session in the background, for a caller
// who cannot wait until it is gone. If deleting is refused the session is ended: nothing
// else would free whatever the znode stands for.
func (s *Session) Abandon(path string) {
	if s.begin(s.ctx) != nil {
		return // the session is over, and the znode goes with it
	}
	go func() {
		defer s.calls.Done()
		s.removeOrEnd(path)
	}()
}

// removeOrEnd deletes a znode that nobody knows of any more, or ends the session, which
// takes the znode with it.
func (s *Session) removeOrEnd(path string) {
	if err := s.Remove(s.ctx, path); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(fmt.Errorf("%w: cannot delete %s: %w", ErrClosed, path, err))
	}
}
