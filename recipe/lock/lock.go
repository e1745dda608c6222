package lock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/claims"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/recipe/internal/tenure"
	"github.com/zkrecipe/zkrecipe/session"
)

// maxEvents bounds the events that wait for a slow OnEvent or OnRevoke.
const maxEvents = 1000

// Lock is a lock at a path, as one process sees it. Each call of Acquire is a contender, also on
// the same Lock. So goroutines exclude one another as processes do. All methods may be called from
// any goroutine.
type Lock struct {
	client *session.Client
	path   string
	cfg    Config
	clock  clock.Clock

	style  line.Style
	shared bool  // it is held beside other readers
	reader *Lock // of an RW

	memory *line.Memory // of the line's record

	log   *slog.Logger
	often *slog.Logger // for lines that many contenders may have at the same time

	book    *claims.Book
	events  *feed.Feed[Event]
	revokes *feed.Feed[*Held]
}

// New returns the lock at path, an absolute znode path other than "/", of at most 4096 bytes. It
// checks its arguments and does no I/O. The path and its parents are created when they are missing,
// and not deleted unless [Config.Cleanup] says so.
func New(client *session.Client, path string, cfg Config) (*Lock, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	logger, lines := feed.LogOf(client.Context(), cfg.Logger)
	c := clock.From(client.Context())
	return &Lock{
		client: client, path: path, cfg: cfg, style: cfg.Style.line(), clock: c, memory: &line.Memory{}, book: claims.New(c),
		log:    feed.Thinned(client.Context(), logger, lines, feed.Transitions).With("lock", path, "id", cfg.ID),
		often:  feed.Thinned(client.Context(), logger, lines, feed.Failures).With("lock", path, "id", cfg.ID),
		events: feed.New(cfg.OnEvent, maxEvents), revokes: feed.New(cfg.OnRevoke, maxEvents),
	}, nil
}

// Path returns the lock's path.
func (l *Lock) Path() string { return l.path }

// Status returns the present state of the lock in this process: what is held, what waits, and
// totals. It never blocks. [Lock.Contenders] tells who else holds it or waits for it.
func (l *Lock) Status() recipe.Status {
	st := l.book.Status()
	st.Path, st.ID, st.Reader, st.EventsDropped = l.path, l.cfg.ID, l.shared, l.events.Dropped()+l.revokes.Dropped()
	return st
}

// Acquire waits until the lock is held. ctx bounds only the wait. The Held does not end with ctx,
// but with [Held.Release], or when the lock is lost. A contender whose session is lost enters the
// line again, behind the others.
//
// Acquire gives up when ctx ends (the error wraps its cause, and tells what it waited for), when
// the client is closed (session.ErrClosed), and when joining is refused for good (a
// [*recipe.PermanentError]). When ctx ends it returns at once. Its znode is deleted in the
// background, with an announcement, so that the contenders behind do not wait for a lease because
// of it. This also holds if ctx ends while it joins. [session.Client.Close] waits for that. Nothing
// is announced if the servers do not answer within 3 s, if there is no connection when ctx ends, if
// many others write into the line's record at that moment, or if the record cannot be read or
// written ([EventImpaired]). Under the context of a Held of this lock Acquire returns [ErrNested]
// or [ErrUpgrade] at once, unless [Config.Reentrant] is set.
func (l *Lock) Acquire(ctx context.Context) (*Held, error) { return l.acquire(ctx, false) }

// TryAcquire is Acquire that does not wait for others: the error is [ErrBusy] when somebody holds
// the lock or waits for it. Then nothing is written, and the record is not read. So TryAcquire
// returns a [*recipe.LeaseError] only when the lock is free; Acquire returns it at once. TryAcquire
// still waits for a session and for answers, as long as ctx lasts.
//
// It also waits for a lease. While the session of a holder that has crashed lasts, TryAcquire
// returns ErrBusy. When that session has expired, nobody is in the line, but the holder may still
// count the lock as held for the rest of its lease. Then TryAcquire waits for 4.25 s at D = 4 s
// (17/16 D). If ctx ends earlier, it ends that wait, and the next call begins it again. So calls in
// a loop need a ctx that lasts longer.
//
// What it finds is as new as the call, with two exceptions. A server that has just ceased to lead
// the ensemble does not know that for up to syncLimit ticks. And the server that leads may apply a
// write a moment after another server has acknowledged it. In both cases TryAcquire may return
// ErrBusy although the lock has been released.
func (l *Lock) TryAcquire(ctx context.Context) (*Held, error) { return l.acquire(ctx, true) }

// Do acquires the lock, calls f, and releases the lock when f has returned. The context that f is
// given ends with ctx, and when the lock is lost; f should then return [context.Cause] of it, which
// tells why. After the end of ctx the lock is kept until f has returned, but not longer than
// DrainTimeout, and only while the lease is extended. Under the context of a Held of this lock
// ([Config.Reentrant]), f's context ends with ctx, and with that Held's DrainContext.
//
// The error is that of Acquire, or f's. If the lock was lost before f returned, the error wraps a
// [*recipe.EndedError] that tells why, and f's error if there is one. What f has done since then
// may overlap with the next holder.
func (l *Lock) Do(ctx context.Context, f func(context.Context, *Held) error) error {
	if f == nil {
		return errors.New("lock: Do was given a nil function")
	}
	h, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	defer h.at.claim.Running()()
	defer h.Release(ctx) // also when f panics
	inner := h.Context()
	if h.nested { // what is held is another's, and may be drained already
		drain := h.DrainContext()
		bounded, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(drain, func() { cancel(context.Cause(drain)) })()
		inner = bounded
	} else {
		defer context.AfterFunc(ctx, func() { h.at.End(recipe.ReasonCancelled, context.Cause(ctx)) })()
	}
	err = f(inner, h)
	return tenure.Result(h.at.lost(), err)
}

func (l *Lock) send(ev Event) {
	ev.Time, ev.Reader = l.clock.Wall(), l.shared
	l.events.Send(ev)
}
