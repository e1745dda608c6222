package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/life"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	maxEvents  = 1000        // wait for a slow subscriber
	lastEvents = time.Second // is how long Run waits until the last of them are delivered
)

// Election is a handle for the election at a path. [Election.Run] and [Election.Campaign] stand in
// it as one candidate; [Election.Observe] and [Election.Candidates] only look. Several may share a
// client, in one election or in many. All methods may be called from any goroutine.
type Election struct {
	client *session.Client
	path   string
	cfg    Config
	clock  clock.Clock
	log    *slog.Logger
	often  *slog.Logger // for lines that repeat while something does not work
	lines  *feed.Log

	busy   atomic.Bool // Run or Campaign is at work; it owns what follows
	wake   chan struct{}
	pause  *retry.Backoff
	health health
	left   chan struct{} // closed when the latest stay has left the line

	events *feed.Feed[Event]
	status status
}

// New returns a handle for the election at path, an absolute znode path other than "/", of at most
// 4096 bytes. It checks its arguments and does no I/O. The path and its parents are created when
// they are missing, and never deleted.
func New(client *session.Client, path string, cfg Config) (*Election, error) {
	if err := client.CheckPath(path); err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	cfg, err := cfg.withDefaults(client)
	if err != nil {
		return nil, err
	}
	c := clock.From(client.Context())
	logger, lines := feed.LogOf(client.Context(), cfg.Logger)
	e := &Election{
		client: client, path: path, cfg: cfg, clock: c,
		log:    feed.Thinned(client.Context(), logger, lines, feed.Transitions).With("election", path, "id", cfg.ID),
		often:  feed.Thinned(client.Context(), logger, lines, feed.Failures).With("election", path, "id", cfg.ID),
		lines:  lines,
		wake:   make(chan struct{}, 1),
		pause:  life.NewBackoff(c),
		events: feed.New(cfg.OnEvent, maxEvents),
		left:   make(chan struct{}),
	}
	close(e.left)
	e.status.set(c, func(s *Status) { s.Path, s.ID = path, cfg.ID })
	return e, nil
}

// Client returns the client that New was given.
func (e *Election) Client() *session.Client { return e.client }

// Run stands for election again and again. Each time it is elected, it calls lead with the term and
// its context. A term begins with the call. It ends when lead returns, or for another
// [recipe.Reason], which cancels the context. Then lead should return within StopBefore if it can.
// When lead has returned, Run enters the line again after a delay, which grows while terms are
// short. It enters earlier if nobody stands in the line: it checks that every 100 ms, or every D/8
// if that is shorter. After [Term.Resign] it does not wait.
//
// Run tries without end. It returns only
//   - when ctx ends: its cause;
//   - when the client is closed: session.ErrClosed;
//   - when lead returns [ErrStop]: nil, or the error that wraps it;
//   - when joining is refused for good: a [*recipe.PermanentError];
//   - when lead ends its goroutine: [ErrGoexit].
//
// By then lead has returned and the candidate has left the line. If ZooKeeper does not answer when
// ctx has ended, Run does not wait for that: it goes on in the background, and
// [session.Client.Close] waits for it. If lead panics, Run panics, too, once the candidate has left
// the line. The text of that panic has the value and lead's stack.
//
// An error that lead returns is reported in the [EventDeposed] event, in [Status] and in the log.
// If the term had ended for another reason, that event has been sent already, and the error is only
// in Status and the log. If it wraps the cause of the context that lead was given, it is only in
// the log.
func (e *Election) Run(ctx context.Context, lead func(ctx context.Context, term *Term) error) error {
	if lead == nil {
		return errors.New("election: Run was given a nil callback")
	}
	l, err := e.begin(ctx, ctx)
	if err != nil {
		return err
	}
	defer e.lines.Finish(e.clock)
	defer e.events.WaitFor(e.clock, lastEvents)
	defer l.stop()
	for {
		st, term, err := e.win(l, l.Context(), true)
		if err != nil {
			return err
		}
		work := begin(term, lead)
		e.lead(l, st, term, work.done)
		left := e.left
		stop := context.AfterFunc(l.Context(), func() { <-left; l.Left() }) // Close need not wait for a callback that does not stop
		<-work.done
		stop()
		if err, over := work.result(); over {
			return err
		}
		e.late(term, work.err)
		if l.Context().Err() != nil || e.rest(l, term) != nil {
			return e.cut(l, l.Context(), nil)
		}
	}
}

// working holds the resources of one Run or Campaign.
type working struct {
	*life.Life
	stop func() // ends everything, and waits for that
}

// begin begins the work, in the context work, when the stay before has left the line. ctx bounds
// that wait.
func (e *Election) begin(ctx, work context.Context) (*working, error) {
	if !e.busy.CompareAndSwap(false, true) {
		return nil, ErrRunning
	}
	select {
	case <-e.left:
	case <-ctx.Done():
		e.busy.Store(false)
		return nil, context.Cause(ctx)
	}
	e.pause.Reset()
	l := life.Begin(work, e.client, "election", e.path, e.cfg.ID)
	unwell := e.health.start(l.Context(), e)
	unfollow := e.follow(l.Context())
	return &working{l, func() {
		l.Stop()
		unwell()
		unfollow()
		e.status.set(e.clock, func(s *Status) { s.State = StateIdle })
		left := e.left
		e.busy.Store(false)
		select {
		case <-left:
			l.Left()
		default:
			go func() {
				<-left
				l.Left()
			}()
		}
	}}, nil
}

// work is a callback at work.
type work struct {
	done  chan struct{} // closed when the callback has returned
	err   error
	panic string
}

func begin(term *Term, lead func(context.Context, *Term) error) *work {
	w := &work{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer term.held.Finish()
		returned := false
		defer func() {
			if returned {
				return
			}
			if v := recover(); v != nil {
				w.panic = fmt.Sprintf("election: the callback panicked: %v\n\n%s", v, debug.Stack())
				term.held.End(recipe.ReasonPanicked, fmt.Errorf("panic: %v", v))
				return
			}
			w.err = ErrGoexit
			term.held.End(recipe.ReasonPanicked, ErrGoexit)
		}()
		w.err = lead(term.Context(), term)
		returned = true
		if errors.Is(w.err, ErrStop) {
			term.held.End(recipe.ReasonStopped, nil)
		} else {
			term.held.End(recipe.ReasonReturned, w.err)
		}
	}()
	return w
}

// result tells what the callback's end means for Run.
func (w *work) result() (err error, over bool) {
	switch {
	case w.panic != "":
		panic(w.panic)
	case w.err == ErrStop:
		return nil, true
	case errors.Is(w.err, ErrStop), w.err == ErrGoexit:
		return w.err, true
	}
	return nil, false
}

// Campaign stands for election until it is elected, and returns the term. ctx bounds only the wait:
// the term goes on when ctx ends. The caller works as long as the term's context lasts. Then it
// calls [Term.Release], which gives up the leadership. A term that ends in another way waits for
// Release up to DrainTimeout before the znode is deleted. The candidate can campaign again when
// Release has returned nil, or why the leadership was lost. If Release returned earlier, because
// its context ended, Campaign and Run may return [ErrRunning] until the znode is deleted.
//
// The errors are those of Run. After an error nothing is left behind, as after Run.
func (e *Election) Campaign(ctx context.Context) (*Term, error) {
	// ctx bounds only the wait; the term goes on after it.
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l, err := e.begin(ctx, context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithCancelCause(l.Context())
	defer cancel(context.Canceled)
	unbind := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer unbind()
	st, term, err := e.win(l, waiting, false)
	if err != nil {
		l.stop()
		return nil, err
	}
	go func() { // the client waits for it in Close
		e.lead(l, st, term, term.stopped)
		l.stop()
		close(term.released)
	}()
	return term, nil
}
