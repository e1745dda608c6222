// Package flight lets callers share a read that each of them would make. It differs from
// golang.org/x/sync/singleflight in one rule: a read that is under way may be older than a call, so
// callers that come meanwhile share the next one.
package flight

import (
	"context"
	"sync"
)

// Group shares reads by their keys. Its zero value is ready to use. Its method may be called by any
// number of goroutines at the same time.
type Group[K comparable, V any] struct {
	mu sync.Mutex
	// next has an entry for each key for which a read is under way. The entry is the read that
	// comes after it, nil if nobody has asked for it.
	next map[K]*call[V]
}

// A call is one read.
type call[V any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when value and err are there
	value  V
	err    error

	askers int // guarded by the group's mu
}

// Do returns what read returns. The read begins after the call of Do. All who wait for the same
// read get the same value. If ctx ends first, Do returns the cause of ctx. If nobody waits for a
// read any more, its context is cancelled, and the last caller returns when the read has.
func (g *Group[K, V]) Do(ctx context.Context, key K, read func(context.Context) (V, error)) (V, error) {
	c := g.join(ctx, key, read)
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		g.abandon(key, c)
		var none V
		return none, context.Cause(ctx)
	}
}

// join returns the read that the caller waits for. If none is under way for the key, it begins.
func (g *Group[K, V]) join(ctx context.Context, key K, read func(context.Context) (V, error)) *call[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = map[K]*call[V]{}
	}
	c, busy := g.next[key]
	if c == nil {
		c = &call[V]{done: make(chan struct{})}
		c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
		if busy {
			g.next[key] = c
		} else {
			g.next[key] = nil
			go g.run(key, c, read)
		}
	}
	c.askers++
	return c
}

// run reads again and again while others have asked for it meanwhile.
func (g *Group[K, V]) run(key K, c *call[V], read func(context.Context) (V, error)) {
	for c != nil {
		c.value, c.err = read(c.ctx)
		c.cancel()
		close(c.done)
		g.mu.Lock()
		if c = g.next[key]; c != nil {
			g.next[key] = nil
		} else {
			delete(g.next, key)
		}
		g.mu.Unlock()
	}
}

// abandon drops one who waits. The last one cancels the read and waits for its end.
func (g *Group[K, V]) abandon(key K, c *call[V]) {
	g.mu.Lock()
	c.askers--
	last, begun := c.askers == 0, g.next[key] != c
	if last && !begun {
		g.next[key] = nil
	}
	g.mu.Unlock()
	if last {
		c.cancel()
		if begun {
			<-c.done
		}
	}
}

// Busy returns for how many keys a read is under way.
func (g *Group[K, V]) Busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.next)
}
