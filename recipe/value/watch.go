package value

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

const firstRetry, longestRetry = 20 * time.Millisecond, time.Second

// Watcher follows a Value, from one session to the next. It skips values when they change faster
// than it reads, but never goes back to an earlier one. Next may be called by one goroutine at a
// time, Stop by any.
type Watcher struct {
	client  *session.Client
	path    string
	stopped context.Context
	stop    context.CancelCauseFunc

	session *session.Session // of node
	node    *watch.Node
	leave   func()     // stops node
	last    *Versioned // returned by Next; without the data
}

// Watch begins to follow the value. It does no I/O. Call Stop when done. While there is no znode,
// the watcher looks for it every T/4, so it may see the creation that late. It sees a creation by
// its own client at once. T is the session timeout.
func (v *Value) Watch() *Watcher {
	w := &Watcher{client: v.client, path: v.path}
	w.stopped, w.stop = context.WithCancelCause(context.Background())
	return w
}

// Next returns the value the first time it is called. Later it waits for a value other than the
// last one that it returned. From the first call it sees what was acknowledged before Watch was
// called. The error wraps the cause of ctx, watch.ErrStopped, the reason for which the client was
// closed, or a refusal such as zk.ErrNoAuth.
func (w *Watcher) Next(ctx context.Context) (Versioned, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.stopped, func() { cancel(watch.ErrStopped) })()
	c := clock.From(w.client.Context())
	pause := retry.New(c, firstRetry, longestRetry)
	for {
		begun := c.Now()
		v, err := w.next(ctx)
		switch {
		case err == nil && w.last != nil && v.Zxid == w.last.Zxid: // a new session shows the same
		case err == nil:
			w.last = &Versioned{Zxid: v.Zxid}
			return v, nil
		case ctx.Err() != nil:
			if cause := context.Cause(ctx); !errors.Is(err, cause) { // otherwise err tells more than its cause
				err = cause
			}
			return Versioned{}, fmt.Errorf("value: %s: %s: %w", w.path, w.lacking(), err)
		case w.client.Context().Err() != nil || session.Permanent(err):
			return Versioned{}, explained(ctx, w.path, err)
		default:
			if c.Now().Sub(begun) >= w.client.Status().Timeout {
				pause.Reset()
			}
			_ = pause.Wait(ctx)
		}
	}
}

// lacking is what Next waits for.
func (w *Watcher) lacking() string {
	if w.last == nil {
		return "not read yet"
	}
	return "no other value"
}

// next returns the next state of the present session's, or begins with the next session.
func (w *Watcher) next(ctx context.Context) (Versioned, error) {
	s, err := w.client.Session(ctx)
	if err != nil {
		return Versioned{}, err
	}
	if s != w.session {
		// A new session's server may lag. After a quorum's answer it shows at least what was there
		// before.
		if _, err := s.QuorumSync(ctx, w.path); err != nil {
			return Versioned{}, err
		}
		w.turnTo(s)
	}
	st, err := w.node.Next(ctx)
	if err != nil || !st.Exists {
		return Versioned{}, err
	}
	return Versioned{st.Data, st.Stat.Mzxid}, nil
}

// turnTo gives up the former session and follows the value in s.
func (w *Watcher) turnTo(s *session.Session) {
	if w.leave != nil {
		w.leave()
	}
	node := watch.NewNode(s, w.path)
	unbind := context.AfterFunc(w.stopped, node.Stop)
	w.session, w.node = s, node
	w.leave = func() { unbind(); node.Stop() } // without unbind, w.stopped would keep each session that was lost
}

// Stop stops following, and ends a Next that waits. It may be called more than once.
func (w *Watcher) Stop() { w.stop(watch.ErrStopped) }
