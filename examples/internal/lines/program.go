package lines

import (
	"context"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// ExitWithin is how long leaving may last after a signal or "quit". A supervisor waits for it, and an
// ensemble that does not answer must not make it wait longer. Znodes that are not deleted by then are
// deleted when the session expires.
const ExitWithin = 4 * time.Second

// Run calls run, and returns when run has returned, or ExitWithin after the end of ctx. It returns the
// exit code. If run fails, Run writes the error and returns 1.
func (o *Output) Run(ctx context.Context, run func(context.Context) error) (code int) {
	result := make(chan error, 1)
	go func() { result <- run(ctx) }()
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(ExitWithin, func() { close(late) }) })
	select {
	case err := <-result:
		if err != nil {
			o.Fail(err)
			return 1
		}
	case <-late:
		told := make(chan struct{})
		go func() { // in the background, because perhaps nobody reads stdout
			o.Fail(fmt.Errorf("the ensemble has not answered for %v; the session will expire", ExitWithin))
			close(told)
		}()
		select {
		case <-told:
		case <-time.After(ExitWithin / 8):
		}
	}
	return 0
}

// Fail writes an error.
func (o *Output) Fail(err error) { o.Write("error", "error", err.Error()) }

// FollowSessions calls tell with each session when it begins. While there is no session it writes what is
// wrong. It returns when ctx ends.
func (o *Output) FollowSessions(ctx context.Context, client *session.Client, tell func(*session.Session)) {
	patience := client.Status().Timeout
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("none within %v", patience))
		s, err := client.Session(waiting)
		cancel()
		switch {
		case err == nil:
			tell(s)
		case ctx.Err() != nil || client.Context().Err() != nil:
			return
		default:
			o.Fail(err)
			continue
		}
		select {
		case <-s.Done():
		case <-ctx.Done():
		}
	}
}
