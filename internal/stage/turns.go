package stage

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A Turn is a period in which one process holds something: a term, or a lock.
type Turn interface {
	Token() int64
	Valid() bool
	Remaining() time.Duration
	Context() context.Context
	DrainContext() context.Context
}

// Turns has all turns that have begun. It compares each turn that begins with all earlier ones. A
// turn that is over stays over, so that finds every overlap.
type Turns[V Turn] struct {
	Expels bool // an administrator deletes znodes or ends sessions: then only the order of tokens is promised

	mu  sync.Mutex // guards all
	all []turn[V]
}

type turn[V Turn] struct {
	of     V
	who    string
	shared bool
}

// Begin compares a turn that begins with all earlier turns. Shared turns may overlap.
func (ts *Turns[V]) Begin(t testing.TB, who string, now V, shared bool) {
	t.Helper()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, before := range ts.all {
		old := before.of
		if before.shared && shared {
			continue
		}
		if old.Token() >= now.Token() {
			t.Errorf("%s has token %d after %s with %d", who, now.Token(), before.who, old.Token())
		}
		if ts.Expels {
			continue
		}
		if old.Valid() && now.Valid() {
			t.Errorf("%s has its turn beside %s, for %v more", who, before.who, old.Remaining())
		}
		for name, ctx := range map[string]context.Context{"context": old.Context(), "drain": old.DrainContext()} {
			select {
			case <-ctx.Done(): // not Err, which reads the clock itself
			default:
				t.Errorf("%s has its turn while the %s of %s goes on", who, name, before.who)
			}
		}
	}
	ts.all = append(ts.all, turn[V]{now, who, shared})
}

// Add is Begin without a comparison.
func (ts *Turns[V]) Add(who string, now V, shared bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.all = append(ts.all, turn[V]{now, who, shared})
}

// All lists the turns that have begun, oldest first.
func (ts *Turns[V]) All() (all []V) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		all = append(all, t.of)
	}
	return all
}
