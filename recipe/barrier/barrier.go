package barrier

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
)

// While a Barrier is raised, it holds back all who wait. All methods may be called from any
// goroutine.
type Barrier struct {
	client *session.Client
	path   string
	cfg    Config
	clock  clock.Clock
}

// New returns the barrier at path, an absolute znode path other than "/", of at most 4096 bytes. It
// checks its arguments and does no I/O.
func New(client *session.Client, path string, cfg Config) (*Barrier, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	return &Barrier{client: client, path: path, cfg: cfg, clock: clock.From(client.Context())}, nil
}

// Raise raises the barrier: it creates the znode and its parents. It returns nil when the barrier
// is up, also if it was up before. A later call of Wait is held back. The barrier stays up until
// somebody lowers it, also after the end of the process that raised it. If an answer is lost, the
// barrier may be raised again although somebody has lowered it, as long as the session exists.
func (b *Barrier) Raise(ctx context.Context) error {
	err := life.InEach(ctx, b.client, b.path, func(s *session.Session) error { return s.EnsurePath(ctx, b.path, b.cfg.ACL) })
	return cut(ctx, b.path, "not known to be up", err)
}

// Lower lowers the barrier, which any process may have raised. It deletes the znode, and all who
// wait go on. It returns nil when the barrier is down, also if it was down before. A barrier that
// is raised again meanwhile stays up. The error is zk.ErrNotEmpty if there is something below the
// path. It takes READ and WRITE on the znode, and DELETE on its parent.
func (b *Barrier) Lower(ctx context.Context) error {
	var czxid int64 // of the one to be lowered
	err := life.InEach(ctx, b.client, b.path, func(s *session.Session) error {
		pause := retry.New(b.clock, firstDelay, longestDelay)
		for {
			if there, err := s.QuorumSync(ctx, b.path); err != nil || !there {
				return err
			}
			data, stat, err := s.Get(ctx, b.path)
			if errors.Is(err, zk.ErrNoNode) || err == nil && czxid != 0 && stat.Czxid != czxid {
				return nil
			}
			if err != nil {
				return err
			}
			czxid = stat.Czxid
			// A barrier that is raised again begins at version 0. This set leaves version 0. So a
			// late deletion reaches another barrier only if that one is being lowered, too.
			if stat, err = s.Set(ctx, b.path, data, stat.Version); err == nil {
				if stat.Czxid != czxid {
					return nil
				}
				err = s.Delete(ctx, b.path, stat.Version)
			}
			switch {
			case err == nil || errors.Is(err, zk.ErrNoNode):
				return nil
			case !errors.Is(err, zk.ErrBadVersion) && session.OutcomeOf(err) == session.OutcomeNotDone, s.Err() != nil:
				return err
			}
			if err := pause.Wait(ctx); err != nil {
				return err
			}
		}
	})
	return cut(ctx, b.path, "not known to be down", err)
}

// Wait returns nil at once if the barrier is down, or when it is lowered. If Raise has returned
// before Wait is called, the barrier holds Wait back. Wait returns also if the barrier was lowered
// and raised again at once. It continues after a loss of the session. Otherwise it returns an
// error: one that wraps the cause of ctx, session.ErrClosed, or a [*recipe.PermanentError].
//
// It costs a quorum write that changes nothing, one or two reads, and a small read for each session
// timeout that it waits. It leaves one watch on the barrier, which stays as long as the barrier is
// up.
func (b *Barrier) Wait(ctx context.Context) error {
	var czxid int64 // of the one that is waited for
	err := life.InEach(ctx, b.client, b.path, func(s *session.Session) error {
		// A new session may begin at a server that lags, where the barrier is not raised yet.
		if there, err := s.QuorumSync(ctx, b.path); err != nil || !there {
			return err
		}
		wake := make(chan struct{}, 1)
		up := s.Watch(b.path, wake)
		defer up.Stop()
		timer := clock.NewTimer(b.clock)
		defer timer.Stop()
		for {
			_, stat, err := up.Get(ctx)
			switch {
			case errors.Is(err, zk.ErrNoNode):
				return nil
			case err != nil:
				return err
			case czxid != 0 && stat.Czxid != czxid:
				return nil // it has been down
			}
			czxid = stat.Czxid
			for up.Armed() {
				timer.Reset(s.Timeout())
				select {
				case <-wake:
				case <-timer.C: // an event may have been lost
					if stat, ok, err := s.Exists(ctx, b.path); err != nil || !ok || stat.Czxid != czxid {
						return err
					}
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-s.Done():
					return s.Err()
				}
				if up.Deleted() {
					return nil
				}
			}
		}
	})
	return cut(ctx, b.path, "not known to be down", err)
}

// cut adds to the error of a wait that ctx has ended what was missing.
func cut(ctx context.Context, path, lacking string, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("barrier: %s: %s: %w", path, lacking, err)
}
