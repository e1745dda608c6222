// Package life is one recipe at work on a client: it keeps the client open until it has cleaned up,
// waits for sessions, and tells which of several contexts has ended.
package life

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// Life is one recipe at work, from Begin to End.
type Life struct {
	client *session.Client
	clock  clock.Clock
	ctx    context.Context
	cancel context.CancelCauseFunc
	unbind func() bool
	left   func()
}

// Begin begins the work of a recipe. Its context ends with ctx, or when the client is closed. kind,
// path and id name the recipe in the log if Close of the client has to wait for it.
func Begin(ctx context.Context, client *session.Client, kind, path, id string) *Life {
	l := &Life{client: client, clock: clock.From(client.Context()), left: client.KeepOpen(kind + " " + path + " (" + id + ")")}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.unbind = EndWith(client.Context(), l.cancel)
	return l
}

// EndWith calls cancel when ctx ends, with its cause. If ctx has ended already, that is done before
// EndWith returns: what begins while the client is closed must not send a request, because nobody
// may wait for it.
func EndWith(ctx context.Context, cancel context.CancelCauseFunc) (stop func() bool) {
	if ctx.Err() != nil {
		cancel(context.Cause(ctx))
	}
	return context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
}

// Context is the work's.
func (l *Life) Context() context.Context { return l.ctx }

// Left lets the client close, though the work has not ended.
func (l *Life) Left() { l.left() }

// Stop ends the work's context.
func (l *Life) Stop() {
	l.unbind()
	l.cancel(context.Canceled)
}

// End ends the work, and lets the client close.
func (l *Life) End() {
	l.Stop()
	l.left()
}

// Session waits for a session. Now and then it reports that there is none, and why.
func (l *Life) Session(ctx context.Context, report func(error)) (*session.Session, error) {
	for wait := l.client.LeaseAsked(); ; wait = l.client.Status().Timeout {
		bounded, cancel := Within(ctx, l.clock, wait)
		s, err := l.client.Session(bounded)
		waited := bounded.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !waited {
			return s, err
		}
		report(err)
	}
}

// Over reports whether the work is to end: ctx or the client's context has ended.
func (l *Life) Over(ctx context.Context) bool { return ctx.Err() != nil || l.Closed() != nil }

// Closed returns why the client was closed, or nil.
func (l *Life) Closed() error { return context.Cause(l.client.Context()) }

// Cut returns the error for work that ended because ctx or the client's context ended. err is why
// the latest attempt had failed before.
func (l *Life) Cut(ctx context.Context, err error) error {
	cause := cmp.Or(context.Cause(ctx), l.Closed())
	switch {
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(cause, context.DeadlineExceeded):
		return err // a deadline is a failure, and err tells why
	case err == nil || errors.Is(err, cause):
		return cause
	}
	return fmt.Errorf("%w (%v)", cause, err)
}

// Permanent reports whether trying again cannot help.
func Permanent(err error) bool {
	var tooLong *recipe.LeaseError
	return session.Permanent(err) || errors.As(err, &tooLong)
}

// InEach calls do with a session. If that session ends during the call, it calls do with the next
// one. It is for a recipe that keeps nothing in a session. An error that trying again cannot cure
// is returned as a [*recipe.PermanentError]. If ctx has ended, the error is its cause.
func InEach(ctx context.Context, client *session.Client, path string, do func(*session.Session) error) error {
	for {
		s, err := client.Session(ctx)
		if err != nil {
			return err
		}
		err = do(s)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return cmp.Or(context.Cause(ctx), err)
		case session.Permanent(err):
			return &recipe.PermanentError{Path: path, Err: err}
		case s.Err() == nil:
			return err
		}
	}
}

// Within bounds ctx by d; the cause says so.
func Within(ctx context.Context, c clock.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := c.AfterFunc(d, func() { cancel(fmt.Errorf("not within %v", d.Round(time.Millisecond))) })
	return ctx, func() { stop(); cancel(nil) }
}
