package barrier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/held"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
)

// Round is one member's time inside, from [Double.Enter] to [Round.Leave]. All methods may be
// called from any goroutine.
type Round struct {
	d     *Double
	e     *entry
	lease *session.Lease
	stop  time.Duration
	held  *held.Held
	life  *life.Life

	outside context.Context // ends when guard is to end
	quit    context.CancelFunc
	guarded chan struct{} // closed by guard at its end
	leaving chan struct{} // has room for the one Leave that is at work
	left    bool          // belongs to the Leave that is at work, as rest does
	rest    int           // how many others were inside at the last read
}

func newRound(e *entry, lease *session.Lease, stopBefore time.Duration) *Round {
	return &Round{d: e.d, e: e, lease: lease, stop: stopBefore, guarded: make(chan struct{}), leaving: make(chan struct{}, 1)}
}

// begin begins the round.
func (r *Round) begin(ctx context.Context, l *life.Life) {
	r.life = l
	r.held = held.New(ctx, held.Config{
		Clock: r.d.clock, Lease: r.lease, StopBefore: r.stop,
		Node: r.e.path,
	})
	r.held.Watch()
	r.outside, r.quit = context.WithCancel(l.Context())
	go r.guard()
}

// Context ends when it is not certain any more that this member is inside: StopBefore before its
// lease ends, when its session or its znode is lost, when the client is closed, or when Leave is
// called. The cause is a [*recipe.EndedError]. It has the values of the context that was given to
// Enter. It says nothing about the other members. In a process that was paused, the first call of
// its Err already returns the error. A context derived from it (context.WithTimeout,
// errgroup.WithContext) ends by a timer, which may be late in such a process. So work under a
// derived context has to ask Valid.
func (r *Round) Context() context.Context { return r.held.Context() }

// Valid reports whether this member is inside at this moment. As long as its znode is there, no
// other member's Leave returns nil. If somebody else has deleted the znode, Valid may tell that
// only when the lease ends. It costs two clock reads and no request.
func (r *Round) Valid() bool { return r.held.Valid() }

// guard ends the round when the znode or the session is lost, and leaves when the client is closed.
func (r *Round) guard() {
	defer close(r.guarded)
	timer := clock.NewTimer(r.d.clock)
	defer timer.Stop()
	over := r.e.s.Done()
	for r.outside.Err() == nil {
		if r.held.Ended() == nil && r.gone() {
			r.held.End(recipe.ReasonNodeDeleted, nil)
		}
		if r.held.Ended() != nil {
			r.e.hold.Release() // it does not begin again
		}
		timer.Reset(r.e.s.Timeout())
		select {
		case <-r.e.wake:
		case <-timer.C:
		case <-over:
			r.held.End(recipe.ReasonSessionLost, r.e.s.Err())
			over = nil
		case <-r.outside.Done():
		}
	}
	if err := r.life.Closed(); err != nil {
		r.held.End(recipe.ReasonClosed, err)
		r.life.End() // the end of the session takes the znode
	}
	r.held.Finish()
	r.e.own.Stop()
	r.e.hold.Release()
}

// gone reports whether the own znode is gone for sure.
func (r *Round) gone() bool {
	if r.e.own.Deleted() || errors.Is(r.e.hold.Err(), zk.ErrNoNode) {
		return true
	}
	if r.e.own.Armed() || r.e.s.State() != session.StateConnected {
		return false
	}
	_, _, err := r.e.own.Get(r.outside)
	return errors.Is(err, zk.ErrNoNode)
}

// Leave leaves, and waits until all members of the round have left, by Leave or by the end of their
// sessions. The round is over for this member at once. Then its znode is deleted, in the background
// if ctx ends before. It continues to wait after a loss of the session. The error wraps the cause
// of ctx, or is session.ErrClosed or a [*recipe.PermanentError]; after an error Leave may be called
// again. If this member has no permission to delete its znode, the first Leave returns a
// PermanentError, and the client's session is ended. That deletes the znode, so that the others do
// not wait for ever, and all other ephemeral znodes of the session.
func (r *Round) Leave(ctx context.Context) error {
	select {
	case r.leaving <- struct{}{}:
	case <-ctx.Done():
		return cut(ctx, r.d.path, "another Leave is at work", context.Cause(ctx))
	}
	defer func() { <-r.leaving }()
	r.held.End(recipe.ReasonReleased, nil)
	r.held.Finish()
	r.quit()
	<-r.guarded
	if r.life == nil { // made by recipetest
		return nil
	}
	if !r.left {
		r.left = true
		defer r.life.End()
		err := r.e.s.EnsureDeleted(ctx, r.e.path)
		if err != nil {
			r.e.s.DeleteInBackground(r.e.path, nil) // this ends the session if deleting is refused
		}
		if errors.Is(err, zk.ErrNoAuth) {
			return &recipe.PermanentError{Path: r.d.path, Err: err}
		}
	}
	err := life.InEach(ctx, r.d.client, r.d.path, func(s *session.Session) error { return r.awaitOthers(ctx, s) })
	if r.rest == 0 {
		return cut(ctx, r.d.path, "it is not known who is inside still", err)
	}
	return cut(ctx, r.d.path, fmt.Sprintf("others that are inside still: %d", r.rest), err)
}

// awaitOthers waits until none of the others is left.
func (r *Round) awaitOthers(ctx context.Context, s *session.Session) error {
	if s != r.e.s {
		// A new session may begin at a server that lags, where the others are not there yet.
		if there, err := s.QuorumSync(ctx, r.d.path); err != nil || !there {
			return err
		}
	}
	wake := make(chan struct{}, 1)
	list := func(ctx context.Context) ([]string, zk.Stat, error) { return s.Children(ctx, r.d.path) }
	for {
		v, err := r.d.view(ctx, list, s)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		rest := slices.DeleteFunc(slices.Clone(v.members), func(name string) bool {
			return name == r.e.name || !slices.Contains(r.e.round, name)
		})
		r.rest = len(rest)
		if len(rest) == 0 {
			r.d.clear(ctx, s, v)
			return nil
		}
		// The member that finds the last one gone deletes "ready". That wakes those that watch
		// other znodes.
		watched := []string{following(r.e.name, rest)}
		if v.there {
			watched = append(watched, readyName)
		}
		if err := r.awaitAny(ctx, s, wake, watched); err != nil {
			return err
		}
	}
}

// awaitAny waits until one of these znodes is gone, or an event may have got lost.
func (r *Round) awaitAny(ctx context.Context, s *session.Session, wake chan struct{}, names []string) error {
	var all []*session.Watch
	for _, name := range names {
		w := s.Watch(r.d.path+"/"+name, wake)
		defer w.Stop()
		all = append(all, w)
		if _, _, err := w.Get(ctx); errors.Is(err, zk.ErrNoNode) {
			return nil
		} else if err != nil {
			return err
		}
	}
	timer := clock.NewTimer(r.d.clock)
	defer timer.Stop()
	timer.Reset(s.Timeout())
	for !slices.ContainsFunc(all, func(w *session.Watch) bool { return !w.Armed() }) {
		select {
		case <-wake:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.Done():
			return s.Err()
		}
	}
	return nil
}

// clear deletes "ready" if its round is over. It need not succeed: by the names in "ready", later
// members see that the round is over.
func (d *Double) clear(ctx context.Context, s *session.Session, v view) {
	if !v.there || !v.round.over(v.members) {
		return
	}
	ops, ok, err := d.fence(ctx, s, v)
	if err != nil || !ok {
		return
	}
	_, _ = s.Multi(ctx, ops...)
}
