package barrier_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/barrier"
)

// entering is one who enters, on a host of its own.
type entering struct {
	host  string
	round chan *barrier.Round // one, or closed after an error
	err   error
}

func (s *stage) double(host string, n int) *barrier.Double {
	s.T.Helper()
	d, err := barrier.NewDouble(s.Client(host), dir, n, barrier.Config{ID: host})
	must(s.T, err)
	return d
}

func (s *stage) enter(host string, n int) *entering {
	s.T.Helper()
	return s.enterBy(s.T.Context(), host, s.double(host, n))
}

func (s *stage) enterBy(ctx context.Context, host string, d *barrier.Double) *entering {
	e := &entering{host: host, round: make(chan *barrier.Round, 1)}
	go func() {
		r, err := d.Enter(ctx)
		if e.err = err; err != nil {
			close(e.round)
			return
		}
		e.round <- r
	}()
	return e
}

// in waits until it is inside.
func (e *entering) in(t *testing.T) *barrier.Round {
	t.Helper()
	select {
	case r, ok := <-e.round:
		if !ok {
			t.Fatalf("%s: %v", e.host, e.err)
		}
		return r
	case <-time.After(patience):
		t.Fatalf("%s does not enter", e.host)
	}
	return nil
}

// refused waits for its error.
func (e *entering) refused(t *testing.T) error {
	t.Helper()
	select {
	case _, ok := <-e.round:
		if ok {
			t.Fatalf("%s has entered", e.host)
		}
	case <-time.After(patience):
		t.Fatalf("%s waits on", e.host)
	}
	return e.err
}

// outside demands that it has not entered.
func (e *entering) outside(t *testing.T) {
	t.Helper()
	select {
	case r := <-e.round:
		t.Fatalf("%s has entered: %v (%v)", e.host, r != nil, e.err)
	default:
	}
}

// leave lets all leave at the same time, and returns when all have.
func leave(t *testing.T, rounds ...*barrier.Round) {
	t.Helper()
	var all sync.WaitGroup
	for i, r := range rounds {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := r.Leave(ctx); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func hosts(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("h", i))
	}
	return names
}

func (s *stage) makePath() { must(s.T, s.Admin().EnsurePath(s.T.Context(), dir, nil)) }
