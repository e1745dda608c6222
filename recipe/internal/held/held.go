// Package held is what a recipe holds for a while: a leadership, a lock, a permit. It is valid as
// long as its lease runs and its holder has not ended it; its context ends before that.
package held

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// Lease is what Held needs of a *session.Lease.
type Lease interface {
	Valid() bool
	Remaining() time.Duration
	Deadline() time.Time
}

// Config says what is held.
type Config struct {
	Clock clock.Clock
	Lease Lease
	// StopBefore is how long before the end of the lease the context ends.
	StopBefore time.Duration
	// Session, Node and Token are those of the place, for guarded writes. Session is nil in unit
	// tests of users.
	Session *session.Session
	Node    string
	Token   int64
}

// A timer uses a clock that stops while the host is suspended, so it may be late by as long as
// that. So the clocks are read several times during the rest of a lease: glances times, but at
// least minGlance apart.
const (
	glances   = 16
	minGlance = 5 * time.Millisecond
)

// Held is one period in which something is held. Any number of goroutines may use it, also after
// its end.
type Held struct {
	cfg         Config
	ctx, drain  heldContext
	cancel      context.CancelCauseFunc
	cancelDrain context.CancelCauseFunc
	ended       atomic.Bool // nothing is held any more: Valid is false, even if the lease runs

	mu   sync.Mutex // guards stop, and orders the causes of the end
	stop func() bool
}

// New begins to hold. Its context has the values of ctx, and does not end with it. It lasts until
// End is called, or until its lease has lapsed if Watch is called.
func New(ctx context.Context, cfg Config) *Held {
	h := &Held{cfg: cfg}
	h.ctx, h.cancel = h.context(ctx)
	h.drain, h.cancelDrain = h.context(ctx)
	return h
}

func (h *Held) context(values context.Context) (heldContext, context.CancelCauseFunc) {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(values))
	return heldContext{inner, h}, cancel
}

// heldContext looks at the clocks itself: in a process that was paused, timers are late.
type heldContext struct {
	context.Context
	h *Held
}

func (c heldContext) Err() error {
	c.h.check()
	return c.Context.Err()
}

// check ends what is held if its lease is about to lapse.
func (h *Held) check() {
	if h.cfg.Lease.Remaining() > h.cfg.StopBefore {
		return
	}
	h.end(h.lapsed(), true)
}

// Watch looks at the clocks until the DrainContext ends. The latest moment for the next look is
// StopBefore before the end of the lease as it is now. If the lease was extended meanwhile, that
// look notices it.
func (h *Held) Watch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drain.Context.Err() != nil {
		return
	}
	rest := h.cfg.Lease.Remaining()
	h.setTimer(min(max(rest/glances, minGlance), rest-h.cfg.StopBefore), func() {
		h.check()
		h.Watch()
	})
}

// setTimer replaces the one timer. The caller holds h.mu.
func (h *Held) setTimer(d time.Duration, f func()) {
	if h.stop != nil {
		h.stop()
	}
	h.stop = h.cfg.Clock.AfterFunc(max(d, 0), f)
}

// lapsed returns the cause for the end of the lease.
func (h *Held) lapsed() *recipe.EndedError {
	if s := h.cfg.Session; s != nil && s.Err() != nil {
		return &recipe.EndedError{Reason: recipe.ReasonSessionLost, Err: s.Err()}
	}
	return &recipe.EndedError{Reason: recipe.ReasonLeaseExpired}
}

// End ends what is held. err is what led to the reason, if anything. Context ends by the first
// call, the drain by the first whose reason is not our own choice.
func (h *Held) End(reason recipe.Reason, err error) {
	h.end(&recipe.EndedError{Reason: reason, Err: err}, false)
}

func (h *Held) end(cause *recipe.EndedError, lapsing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Context.Err() == nil {
		if lapsing {
			// Work in progress has until the end of the lease as it is now. A later extension does
			// not count.
			h.setTimer(h.cfg.Lease.Remaining(), func() { h.ended.Store(true) })
		} else {
			h.ended.Store(true)
		}
		h.cancel(cause)
	}
	if lapsing || !cause.Reason.Chosen() {
		h.cancelDrain(cause)
	}
}

// Finish makes sure that nothing is held any more: Valid is false for good, and the drain is over.
func (h *Held) Finish() {
	h.ended.Store(true)
	if h.cfg.Lease.Remaining() <= 0 { // and perhaps nobody has looked
		h.end(h.lapsed(), true)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil {
		h.stop()
	}
	h.cancelDrain(context.Cause(h.ctx.Context))
}

// Ended returns why it ended, or nil while it lasts.
func (h *Held) Ended() *recipe.EndedError {
	ended, _ := context.Cause(h.ctx.Context).(*recipe.EndedError)
	return ended
}

// Lost returns why others may have held it before its work had stopped, or nil.
func (h *Held) Lost() *recipe.EndedError {
	_ = h.drain.Err() // perhaps nobody has looked
	for _, ctx := range []heldContext{h.ctx, h.drain} {
		if e, _ := context.Cause(ctx.Context).(*recipe.EndedError); e != nil && !e.Reason.Chosen() {
			return e
		}
	}
	return nil
}

// Context returns a context that ends when what is held ends, with a *recipe.EndedError as its
// cause.
func (h *Held) Context() context.Context { return h.ctx }

// DrainContext returns a context that ends with Context, or later if Context has ended by our own
// choice. Then it ends by Finish, by an End that is not our own choice, or StopBefore before the
// end of the lease. Until then nobody else of this library holds the place.
func (h *Held) DrainContext() context.Context { return h.drain }

// Valid reports whether it is held at this moment.
func (h *Held) Valid() bool { return h.cfg.Lease.Valid() && !h.ended.Load() }

// Deadline returns when the lease ends if nothing extends it, by the wall clock.
func (h *Held) Deadline() time.Time { return h.cfg.Lease.Deadline() }

// Remaining returns how long it lasts if nothing extends its lease; zero when it is over.
func (h *Held) Remaining() time.Duration {
	rest := h.cfg.Lease.Remaining()
	if h.ended.Load() {
		return 0
	}
	return rest
}

// Token returns the fencing token.
func (h *Held) Token() int64 { return h.cfg.Token }

// Node returns the path of the place's znode.
func (h *Held) Node() string { return h.cfg.Node }

// Get reads a znode in the session of the place.
func (h *Held) Get(ctx context.Context, path string) ([]byte, zk.Stat, error) {
	return h.cfg.Session.Get(ctx, path)
}

// Multi carries out operations, all or none, provided that the place's znode still exists. It works
// until the drain has ended.
func (h *Held) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if h.cfg.Session == nil || !h.Valid() && h.drain.Err() != nil {
		return nil, recipe.ErrNotHeld
	}
	guarded := append([]any{&zk.CheckVersionRequest{Path: h.cfg.Node, Version: -1}}, ops...)
	results, err := h.cfg.Session.Multi(ctx, guarded...)
	if len(results) > 0 {
		if errors.Is(results[0].Error, zk.ErrNoNode) {
			return nil, recipe.ErrNotHeld
		}
		results = results[1:]
	}
	return results, err
}
