package child

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A Group holds the children of a demonstration, and the lock that guards what they have told. A
// child must not end by itself: that is a failure, and the first failure ends the demonstration.
type Group struct {
	role string
	args []string
	tell func(id string, line []byte) error

	mu       sync.Mutex        // guards what follows, and what the demonstration knows; held for moments
	changed  chan struct{}     // closed and replaced whenever something may have changed
	children map[string]*Child // those that should be there
	err      error             // the first failure
}

// NewGroup returns a group without children. Each will be started with the role, the arguments
// and an -id. Its lines go to tell, which is called with the lock held.
func NewGroup(role string, args []string, tell func(id string, line []byte) error) *Group {
	return &Group{role: role, args: args, tell: tell, changed: make(chan struct{}), children: map[string]*Child{}}
}

// Do calls f with the lock held, and wakes those who wait in Until.
func (g *Group) Do(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.changed)
	g.changed = make(chan struct{})
}

// Until waits for a condition, which is called with the lock held. It returns an error when ctx
// ends and after the first failure.
func (g *Group) Until(ctx context.Context, what string, condition func() bool) error {
	for {
		g.mu.Lock()
		ok, changed, err := condition(), g.changed, g.err
		g.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s: %w", what, context.Cause(ctx))
		}
	}
}

// Fail notes a failure if it is the first. It does nothing if err is nil.
func (g *Group) Fail(err error) {
	g.Do(func() {
		if g.err == nil {
			g.err = err
		}
	})
}

// Start starts a child. If the child ends by itself, that is a failure.
func (g *Group) Start(id string) {
	c, err := Start(g.role, append(slices.Clone(g.args), "-id", id), func(line []byte) (err error) {
		g.Do(func() { err = g.tell(id, line) })
		return err
	})
	if err != nil {
		g.Fail(err)
		return
	}
	g.Do(func() { g.children[id] = c })
	go func() { // ends with the child
		err := c.Err()
		if g.Child(id) == c {
			g.Fail(errors.Join(fmt.Errorf("%s has ended by itself", id), err))
		}
	}()
}

// Child returns a child that should be there, or nil.
func (g *Group) Child(id string) *Child {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.children[id]
}

// Kill ends a child by kill -9. All its lines have been told when it returns.
func (g *Group) Kill(id string) {
	c := g.Child(id)
	g.Do(func() { delete(g.children, id) })
	c.Kill()
}

// Stop asks all children to end, as [Child.Stop] does, and waits for them. If last names a child,
// Stop asks it when the others have ended: where the leader is the last, nobody else is elected for
// a moment. Stop returns the first failure.
func (g *Group) Stop(line, last string) error {
	var children map[string]*Child
	g.Do(func() { children, g.children = g.children, map[string]*Child{} }) // from now on they may end
	stop := func(id string) {
		if err := children[id].Stop(line); err != nil {
			g.Fail(fmt.Errorf("%s: %w", id, err))
		}
	}
	var others sync.WaitGroup
	for id := range children {
		if id != last {
			others.Go(func() { stop(id) })
		}
	}
	others.Wait()
	if children[last] != nil {
		stop(last)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}
