package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// remote is the database as a biller sees it: bbolt lives in one process, so the others
// reach it over HTTP. Nothing is repeated: see bill.
type remote struct {
	url, by string
}

// Due returns what has not been charged yet.
func (r *remote) Due(ctx context.Context, token int64) (due []item, err error) {
	err = r.ask(ctx, "/due", attempt{By: r.by, Token: token}, &due)
	return due, err
}

// Charge charges an item.
func (r *remote) Charge(ctx context.Context, token int64, it item) error {
	return r.ask(ctx, "/charge", attempt{item: it, By: r.by, Token: token}, &struct{}{})
}

// ask sends a request and takes in the answer.
func (r *remote) ask(ctx context.Context, path string, question attempt, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(res.Body).Decode(answer)
	case http.StatusConflict:
		return errStale
	default:
		return fmt.Errorf("%s: %s", path, res.Status)
	}
}

// answer makes a handler of a function.
func answer[A any](f func(ctx context.Context, q attempt) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var q attempt
		var a A
		err := json.NewDecoder(req.Body).Decode(&q)
		if err == nil {
			a, err = f(req.Context(), q)
		}
		switch {
		case errors.Is(err, errStale):
			http.Error(w, err.Error(), http.StatusConflict)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			_ = json.NewEncoder(w).Encode(a) // fails when the one who asked is gone
		}
	})
}

// worst lets a pause strike at the worst moment: after the leader has looked at its term,
// before its charge has left the process. It asks the parent each time, which answers at
// once, or pauses this process and answers when that is over.
type worst struct{ *remote }

// Charge charges an item, perhaps after a pause.
func (w worst) Charge(ctx context.Context, token int64, it item) error {
	// The answer counts even if the term ends while it is waited for.
	late := context.WithoutCancel(ctx)
	var paused bool
	if err := w.ask(late, "/moment", attempt{item: it, By: w.by, Token: token}, &paused); err != nil {
		return err
	}
	if paused {
		// What has passed its last check goes out, like bytes that the kernel has got already,
		// or a driver's request that takes no context.
		ctx = late
	}
	return w.remote.Charge(ctx, token, it)
}
