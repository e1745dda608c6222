package life

import (
	"context"
	"sync"
)

// Failure is why the latest attempt failed.
type Failure struct {
	mu  sync.Mutex // guards err
	err error
}

// Set replaces it.
func (f *Failure) Set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *Failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// A Win is what a call of Acquire does: it tries until it has won something, or ctx ends. It notes why the
// latest attempt has failed.
type Win[T any] func(ctx context.Context, last *Failure) (T, error)

// Await runs win. The context of win ends with ctx, or when the client is closed. win has to return soon after
// that: what takes longer, it does by [Life.Background]. If win has won something all the same, drop gets that. If
// nothing is won, the work ends.
func Await[T any](ctx context.Context, l *Life, win Win[T], drop func(won T, cause error)) (T, error) {
	waiting, cancel := l.waiting(ctx)
	defer cancel()
	var last Failure
	won, err := win(waiting, &last)
	if waiting.Err() == nil {
		if err != nil {
			l.End()
		}
		return won, err
	}
	if err == nil {
		drop(won, context.Cause(waiting))
	} else {
		l.End()
	}
	var none T
	return none, l.cutShort(waiting, &last)
}

// AwaitInBackground is Await for a win that may take long to return after its context has ended. It runs win in a
// goroutine. When the context of win ends, AwaitInBackground returns at once, and win cleans up in the background.
// If nothing is won, the work ends when win has returned.
func AwaitInBackground[T any](ctx context.Context, l *Life, win Win[T], drop func(won T, cause error)) (T, error) {
	waiting, cancel := l.waiting(ctx)
	defer cancel()
	type result struct {
		won T
		err error
	}
	var last Failure
	handOver := make(chan result)
	go func() {
		won, err := win(waiting, &last)
		if err != nil {
			l.End()
		}
		select {
		case handOver <- result{won, err}:
		case <-waiting.Done():
			if err == nil {
				drop(won, context.Cause(waiting))
			}
		}
	}()
	select {
	case r := <-handOver:
		return r.won, r.err
	case <-waiting.Done():
		var none T
		return none, l.cutShort(waiting, &last)
	}
}

// waiting returns the context of a wait, which ends with ctx, or when the client is closed.
func (l *Life) waiting(ctx context.Context) (waiting context.Context, cancel func()) {
	waiting, end := context.WithCancelCause(context.WithoutCancel(ctx))
	closing := l.client.Context()
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	stopClosing := context.AfterFunc(closing, func() { end(context.Cause(closing)) })
	return waiting, func() {
		stop()
		stopClosing()
		end(context.Canceled)
	}
}

// cutShort returns the error of a wait whose context has ended.
func (l *Life) cutShort(waiting context.Context, last *Failure) error {
	err := last.get()
	if err == nil {
		_, err = l.client.Session(waiting) // without one the error tells what is wrong with each server
	}
	return l.Cut(waiting, err)
}
