package main

import (
	"context"
	"fmt"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// writer is somebody who changes the configuration, one step at a time: the next one comes when the
// service has heard of the one before.
type writer struct {
	ctx     context.Context
	servers *zktest.Ensemble
	client  *session.Client
	s       *session.Session
	path    string
	step    int
	err     error
}

func newWriter(ctx context.Context, p *example.Program) (*writer, error) {
	client, err := p.Client()
	if err != nil {
		return nil, err
	}
	w := &writer{ctx: ctx, servers: p.Embedded, client: client, path: p.Path}
	if w.s, err = client.Session(ctx); err == nil {
		err = w.begin()
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return w, nil
}

func (w *writer) close() { w.client.Close() }

// begin writes the first configuration.
func (w *writer) begin() error {
	for _, znode := range [][2]string{{"", "v1"}, {"/limits", ""}, {"/limits/rate", "100"}, {"/color", "blue"}} {
		if _, err := w.s.Create(w.ctx, w.path+znode[0], []byte(znode[1]), 0, nil); err != nil {
			return err
		}
	}
	return nil
}

// steps are the changes, and what the service hears last of each.
var steps = []struct {
	do   func(w *writer) error
	last string
}{
	{func(w *writer) error { return nil }, "/limits/rate"}, // of the first configuration
	{func(w *writer) error { return w.set("/limits/rate", "200") }, "/limits/rate"},
	{func(w *writer) error { return w.s.Delete(w.ctx, w.path+"/color", -1) }, "/color"},
	{missed, "/limits/burst"},
}

// missed changes what the service cannot hear of: its connections break meanwhile.
func missed(w *writer) error {
	for _, c := range w.servers.Conns() {
		if c.Session() != w.s.ID() {
			c.Cut()
		}
	}
	_, err := w.s.Create(w.ctx, w.path+"/limits/burst", []byte("20"), 0, nil)
	return err
}

func (w *writer) set(name, data string) error {
	_, err := w.s.Set(w.ctx, w.path+name, []byte(data), -1)
	return err
}

// heard makes the next step when the service has heard of the present one. It reports whether there
// is one.
func (w *writer) heard(change cache.Change) bool {
	if change.Path != w.path+steps[w.step].last {
		return true
	}
	if w.step++; w.step == len(steps) {
		return false
	}
	if w.err = steps[w.step].do(w); w.err != nil {
		w.err = fmt.Errorf("step %d: %w", w.step, w.err)
		return false
	}
	return true
}
