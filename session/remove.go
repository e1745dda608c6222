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
	r := s.queueRemoval(path)
	if r == nil {
		defer s.removeQueued()
		return s.removeAlone(ctx, path)
	}
	select {
	case gone := <-r.gone:
		if gone {
			return nil
		}
		return s.removeAlone(ctx, path)
	case <-ctx.Done():
		return &Error{Op: "delete", Path: path, Outcome: Unknown, Err: context.Cause(ctx)}
	}
}

func (s *Session) removeAlone(ctx context.Context, path string) error {
	_, err := repeat(ctx, s, "delete", path, func(full string) (struct{}, error) {
		return struct{}{}, s.zk.Delete(full, -1)
	})
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	return err
}

// A process that leads a thousand elections resigns from all of them at once. A
// thousand deletes would keep the ensemble busy for much longer than one multi, and the
// heirs waiting.

// removal is a znode that is to be deleted together with others.
type removal struct {
	path string
	gone chan bool // has room for the one answer; false: not done, to be tried alone
}

// maxTogether bounds how many znodes are deleted by one request.
const maxTogether = 1000

// queueRemoval puts a removal into the queue if another is under way; if none is, it
// returns nil, and the caller owes a call of removeQueued.
func (s *Session) queueRemoval(path string) *removal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.removing {
		s.removing = true
		return nil
	}
	r := &removal{path, make(chan bool, 1)}
	s.removals = append(s.removals, r)
	return r
}

// nextRemovals takes some out of the queue. When it is empty, the next caller of Remove
// need not queue.
func (s *Session) nextRemovals() []*removal {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.removals), maxTogether)
	batch := s.removals[:n:n]
	s.removals = s.removals[n:]
	s.removing = n > 0
	return batch
}

// removeQueued deletes what has come into the queue, in the background.
func (s *Session) removeQueued() {
	batch := s.nextRemovals()
	if len(batch) == 0 {
		return
	}
	alive := s.begin(s.ctx) == nil
	work := func() {
		for ; len(batch) > 0; batch = s.nextRemovals() {
			gone := alive && s.removeTogether(batch)
			for _, r := range batch {
				r.gone <- gone
			}
		}
	}
	if !alive {
		work() // does not wait for anything
		return
	}
	go func() {
		defer s.calls.Done()
		work()
	}()
}

// removeTogether deletes all or none. It is tried once: whatever stands in the way, each
// one's owner finds out by itself.
func (s *Session) removeTogether(batch []*removal) bool {
	if len(batch) == 1 {
		return false
	}
	ops := make([]any, len(batch))
	for i, r := range batch {
		ops[i] = &zk.DeleteRequest{Path: r.path, Version: -1}
	}
	_, err := s.Multi(s.ctx, ops...)
	return err == nil
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
