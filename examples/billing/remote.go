package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// request is what goes over the wire, for each of the questions.
type request struct {
	By    string
	Token int64
	Item  item // empty for Due
}

// remote is the database as a biller sees it: bbolt lives in one process, so the others
// reach it over HTTP. Nothing is repeated: see bill.
type remote struct {
	url, by string
}

// Due returns what has not been charged yet.
func (r *remote) Due(ctx context.Context, token int64) ([]item, error) {
	var due []item
	err := r.ask(ctx, "/due", request{By: r.by, Token: token}, &due)
	return due, err
}

// Charge charges an item.
func (r *remote) Charge(ctx context.Context, token int64, it item) error {
	return r.ask(ctx, "/charge", request{By: r.by, Token: token, Item: it}, nil)
}

// ask sends a request and takes in the answer.
func (r *remote) ask(ctx context.Context, path string, question request, answer any) error {
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
	text, err = io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusConflict:
		return errStale
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", path, res.Status, bytes.TrimSpace(text))
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}

// answer makes a handler of a function.
func answer[A any](f func(ctx context.Context, q request) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var q request
		if err := json.NewDecoder(req.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a, err := f(req.Context(), q)
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
