package election

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// validity is what a Term needs of a *session.Lease.
type validity interface {
	Valid() bool
	Remaining() time.Duration
	Deadline() time.Time
}

// Term is one stretch of leadership, from the election to its end for one reason. Any
// number of goroutines may use it, and go on to hold it after its end.
type Term struct {
	token      int64
	id         string
	node       string
	session    *session.Session // nil in a Term for unit tests
	clock      clock.Clock
	lease      validity
	stopBefore time.Duration
	ctx        termContext
	cancel     context.CancelCauseFunc

	ended    atomic.Bool   // our own end: Valid is false whatever the lease says
	resigned chan struct{} // closed by Resign
	resign   sync.Once
	released chan struct{} // closed when the znode is gone, or left to the session's end
	begun    clock.Instant // when the candidacy began
	inRun    bool          // a callback stops when it returns, not when Resign is called

	mu   sync.Mutex // guards stop, and orders the reasons to end
	stop func() bool
}

// newTerm makes a term under ctx, of which only the values are used. It lasts until end
// is called; watchLease ends it with its lease.
func newTerm(ctx context.Context, c clock.Clock, lease validity, stopBefore time.Duration) *Term {
	t := &Term{clock: c, lease: lease, stopBefore: stopBefore,
		resigned: make(chan struct{}), released: make(chan struct{})}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	t.ctx, t.cancel = termContext{inner, t}, cancel
	return t
}

// termContext is a term's context. In a process that was paused, timers are late; so
// Err looks at the clock itself.
type termContext struct {
	context.Context
	t *Term
}

func (c termContext) Err() error {
	c.t.checkLease()
	return c.Context.Err()
}

// checkLease ends the term if its lease is about to lapse.
func (t *Term) checkLease() {
	if t.lease.Remaining() > t.stopBefore {
		return
	}
	if t.session != nil && t.session.Err() != nil {
		t.end(SessionLost, t.session.Err())
		return
	}
	t.end(LeaseExpired, nil)
}

// watchLease sets the timer for the end of the lease, as it is now. A lease that was
// extended meanwhile is found so when the timer fires; one that was cut short needs
// another call.
func (t *Term) watchLease() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Context.Err() != nil {
		return
	}
	next := t.lease.Remaining() - t.stopBefore
	if t.session != nil {
		// A lease that is cut short meanwhile, by a server that grants less than the others,
		// is found out before long.
		next = min(next, t.session.Timeout()/8)
	}
	t.setTimer(next, func() {
		t.checkLease()
		t.watchLease()
	})
}

// setTimer replaces the term's one timer. The caller holds t.mu.
func (t *Term) setTimer(d time.Duration, f func()) {
	if t.stop != nil {
		t.stop()
	}
	t.stop = t.clock.AfterFunc(max(d, 0), f)
}

// end ends the term, the first time.
func (t *Term) end(reason Reason, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Context.Err() != nil {
		return
	}
	if reason == LeaseExpired {
		// Work in progress has until the end of the lease; should that be extended once
		// more, it is not for this term.
		t.setTimer(t.lease.Remaining(), func() { t.ended.Store(true) })
	} else {
		t.ended.Store(true)
	}
	t.cancel(&Ended{reason, err})
}

// finish makes sure that nothing of the term is left: Valid is false for good.
func (t *Term) finish() {
	t.ended.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop != nil {
		t.stop()
	}
}

// cause returns why the term ended, or nil while it lasts.
func (t *Term) cause() *Ended {
	var e *Ended
	errors.As(context.Cause(t.ctx.Context), &e)
	return e
}

// Context is cancelled when the term ends; context.Cause tells why, as an [*Ended].
// Where the lease runs out it is cancelled StopBefore earlier than that, which is the
// time for work in progress to stop. In a process that was paused past the end, the
// first call of Err already tells.
func (t *Term) Context() context.Context { return t.ctx }

// Valid reports whether this candidate leads at this moment, and no other of this
// library does. Call it before every unit of work: it costs no more than two
// readings of a clock. A unit that must not be done twice should besides carry the
// [Term.Token] to a place that refuses older ones, because work already begun cannot
// be called back.
func (t *Term) Valid() bool { return !t.ended.Load() && t.lease.Valid() }

// Token is the fencing token: larger than that of every earlier leader of this path, as
// long as the ensemble's data lives. It is the czxid of the leader's znode. Leaders of two
// paths may have the same: what is shared by several elections keeps a token for each.
func (t *Term) Token() int64 { return t.token }

// Deadline returns when the lease ends if nothing extends it, by the civil clock: for
// display and for other processes. To decide whether to begin some work, see Remaining.
func (t *Term) Deadline() time.Time { return t.lease.Deadline() }

// Remaining returns how long the term lasts if nothing extends its lease; zero or less
// when it is over.
func (t *Term) Remaining() time.Duration {
	if t.ended.Load() {
		return 0
	}
	return t.lease.Remaining()
}

// ID is the candidate's.
func (t *Term) ID() string { return t.id }

// Node is the path of the leader's znode.
func (t *Term) Node() string { return t.node }

// Multi carries out ZooKeeper operations, all or none, provided that our znode still
// exists at that moment: it can never land in a later term. The operations are zk's;
// the results are theirs. The error is [ErrNotLeading] when the term is over, in which
// case nothing was done; see [session.OutcomeOf] for others.
func (t *Term) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if t.session == nil || !t.Valid() {
		return nil, ErrNotLeading
	}
	guarded := append([]any{&zk.CheckVersionRequest{Path: t.node, Version: -1}}, ops...)
	results, err := t.session.Multi(ctx, guarded...)
	if len(results) > 0 {
		if errors.Is(results[0].Error, zk.ErrNoNode) {
			return nil, ErrNotLeading
		}
		results = results[1:]
	}
	return results, err
}

// Proclaim replaces the data that observers see beside the ID. Do not use it while a
// Curator LeaderLatch may stand behind us in line: it takes the change for our
// departure, finds us still there, and never wakes again.
func (t *Term) Proclaim(ctx context.Context, data []byte) error {
	if len(data) > maxData {
		return fmt.Errorf("election: Proclaim was given %d bytes; want at most %d", len(data), maxData)
	}
	_, err := t.Multi(ctx, &zk.SetDataRequest{Path: t.node, Data: encode(t.id, data), Version: -1})
	return err
}

// Resign ends the term. In the callback of [Election.Run] it only begins to: the
// callback should return, and the znode is deleted then. After [Election.Campaign] it
// says that the work has stopped: the znode is deleted, and Resign waits for that until
// ctx ends; if it does, deleting goes on all the same. Resign may be called at any time
// and more than once, also after the term has ended by itself.
func (t *Term) Resign(ctx context.Context) error {
	t.end(Resigned, nil)
	t.resign.Do(func() { close(t.resigned) })
	if t.inRun {
		return nil
	}
	select {
	case <-t.released:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
