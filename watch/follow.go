package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// ErrStopped ends a Next when Stop has been called. It matches session.ErrClosed, too.
var ErrStopped error = stopped{}

type stopped struct{}

func (stopped) Error() string { return "watch: stopped" }

func (stopped) Is(target error) bool { return target == session.ErrClosed }

// unarmedParts is how many times per session timeout a znode is read while no watch stands ready.
// With a watch it is read once, only to find lost events.
const unarmedParts = 4

// A view is what one look has shown. That of a missing znode is zero.
type view[T any] struct {
	exists bool
	value  T
	stat   zk.Stat
}

// A follower is the loop that all of this package shares: wait for a reason to look again, look,
// and return what differs from the last view.
type follower[T any] struct {
	s     *session.Session
	path  string
	watch *session.Watch
	wake  chan struct{} // from the session: look again
	read  func(context.Context) (T, zk.Stat, error)
	same  func(a, b zk.Stat) bool // whether two Stats of existing znodes are of one state

	stopped context.Context
	stop    context.CancelCauseFunc

	// Owned by the one goroutine that is in next.
	last  *view[T]      // what next has returned, without the value; nil at first
	at    clock.Instant // when that was last confirmed
	stale bool          // the last look failed, or there was none: look again without a signal
}

func follow[T any](s *session.Session, path string, same func(a, b zk.Stat) bool) *follower[T] {
	f := &follower[T]{s: s, path: path, same: same, wake: make(chan struct{}, 1), stale: true}
	f.watch = s.Watch(path, f.wake)
	f.stopped, f.stop = context.WithCancelCause(context.Background())
	return f
}

// end stops following, and ends a next that is under way. It may be called from any goroutine, more
// than once.
func (f *follower[T]) end() {
	f.stop(ErrStopped)
	f.watch.Stop()
}

// next returns the first view that differs from the last.
func (f *follower[T]) next(ctx context.Context) (view[T], error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.stopped, func() { cancel(ErrStopped) })()
	c := clock.From(ctx)
	for {
		if err := f.wait(ctx, c); err != nil {
			return view[T]{}, fmt.Errorf("watch: %s: %w", f.path, err)
		}
		now := c.Now() // before the look: the view is at least as new
		f.stale = true
		v, changed, err := f.look(ctx)
		if err != nil {
			return view[T]{}, err
		}
		f.at, f.stale = now, false
		if changed {
			f.last = &view[T]{exists: v.exists, stat: v.stat} // the value is the caller's
			return v, nil
		}
	}
}

// wait returns when there is a reason to look.
func (f *follower[T]) wait(ctx context.Context, c clock.Clock) error {
	timer := clock.NewTimer(c)
	defer timer.Stop()
	for {
		switch {
		case f.stopped.Err() != nil: // ctx ends a moment later
			return ErrStopped
		case f.s.Err() != nil:
			return f.s.Err()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		now := c.Now()
		due := f.at.Add(f.interval())
		if f.stale || due.Passed(now) {
			return nil
		}
		timer.Reset(due.Until(now))
		select {
		case <-f.wake:
			if !f.quiet() { // else it is about something that the last look has seen
				return nil
			}
		case <-timer.C:
		case <-ctx.Done():
		case <-f.s.Done():
		}
	}
}

// quiet reports whether the server will tell of the next change.
func (f *follower[T]) quiet() bool {
	// If the znode was found missing while its watch seemed to be ready, no event has told of the
	// deletion.
	return f.last != nil && f.last.exists && f.watch.Armed()
}

// interval is how long after one look the next one is due.
func (f *follower[T]) interval() time.Duration {
	if f.quiet() {
		return f.s.Timeout()
	}
	return f.s.Timeout() / unarmedParts
}

// look returns the present view and whether it differs from the last.
func (f *follower[T]) look(ctx context.Context) (v view[T], changed bool, err error) {
	if f.quiet() {
		stat, ok, err := f.s.Exists(ctx, f.path)
		switch {
		case err != nil || !ok:
			return v, true, err
		case f.same(stat, f.last.stat) && f.quiet():
			return v, false, nil
		}
	}
	v.value, v.stat, err = f.read(ctx)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		v = view[T]{}
	case err != nil:
		return view[T]{}, false, err
	default:
		v.exists = true
	}
	return v, f.last == nil || f.last.exists != v.exists || v.exists && !f.same(f.last.stat, v.stat), nil
}
