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

// Await runs win in the background, and returns its result. If ctx ends or the client is closed
// before that, Await returns at once. Then the context of win ends, and win cleans up in the
// background. If nothing is won, the work ends when win has returned. Otherwise keep gets what was
// won, in the goroutine of win, once Await has returned it. If Await has returned without it, left
// tells why.
func Await[T any](ctx context.Context, l *Life, win func(context.Context, *Failure) (T, error), keep func(won T, left error)) (T, error) {
	waiting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(context.Canceled)
	for _, end := range []context.Context{ctx, l.client.Context()} {
		defer EndWith(end, cancel)()
	}
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
		var left error
		select {
		case handOver <- result{won, err}:
		case <-waiting.Done():
			left = context.Cause(waiting)
		}
		if err == nil {
			keep(won, left)
		}
	}()
	select {
	case r := <-handOver:
		return r.won, r.err
	case <-waiting.Done():
		err := last.get()
		if err == nil {
			_, err = l.client.Session(waiting) // without one the error tells what is wrong with each server
		}
		var none T
		return none, l.Cut(waiting, err)
	}
}
