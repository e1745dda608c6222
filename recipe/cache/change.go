package cache

import (
	"container/list"
	"context"
	"slices"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// Kind is what has happened to a znode, from the state that was told last to the present one.
type Kind int

const (
	// KindCreated: there was none, or none had been told.
	KindCreated Kind = iota
	// KindChanged: its data have been set.
	KindChanged
	// KindReplaced: it was deleted, and another one has been created at its path.
	KindReplaced
	// KindDeleted: there is none any more.
	KindDeleted
)

// String returns the kind in lower case.
func (k Kind) String() string {
	return enum.Name(k, []string{"created", "changed", "replaced", "deleted"})
}

// Change is the step from one state of a znode to a later one.
type Change struct {
	// Kind is what has happened.
	Kind Kind
	// Path is the znode's.
	Path string
	// Before is the state that was told last. Now is the present state. Each is nil if there was,
	// or is, no znode.
	Before, Now *Node
}

func newChange(path string, before, now *Node) Change {
	kind := KindChanged
	switch {
	case before == nil:
		kind = KindCreated
	case now == nil:
		kind = KindDeleted
	case before.Stat.Czxid != now.Stat.Czxid:
		kind = KindReplaced
	}
	return Change{kind, path, before, now}
}

// changes are those that Next has not told yet. Cache.mu guards it.
type changes struct {
	told    bool // Next has been called: changes are kept from then on
	order   list.List
	pending map[string]*list.Element // by path
	wake    chan struct{}            // to Next
}

// A difference is what was told last of a path that has another state now.
type difference struct {
	path   string
	before *Node
}

// changed notes that the state of path was before until now. A change that is undone before it is
// told is dropped. So there are never more differences than znodes that were told or exist. The
// caller holds c.mu.
func (c *Cache) changed(path string, before *Node) {
	d := &c.changes
	c.counts.Changes++
	if !d.told {
		return
	}
	e, ok := d.pending[path]
	if !ok {
		d.pending[path] = d.order.PushBack(difference{path, before})
		notify.Signal(d.wake)
		return
	}
	if was := e.Value.(difference).before; was == nil && !c.has(path) {
		d.order.Remove(e)
		delete(d.pending, path)
	}
}

// has reports whether there is a znode at path, as far as is known.
func (c *Cache) has(path string) bool { return c.view(c.find(path), path) != nil }

// Next returns the next change. The first ones are those from nothing to the first complete state,
// as KindCreated, in order of their paths. Later ones come in order for each path: each begins with
// the state with which that path's last one ended. States in between may be left out if they come
// faster than Next is called, but the latest is always told. Next may be called by one goroutine at
// a time. The error wraps the cause of ctx, or is [Cache.Err].
func (c *Cache) Next(ctx context.Context) (Change, error) {
	if err := c.Wait(ctx); err != nil {
		return Change{}, err
	}
	for {
		if ch, ok, err := c.take(); ok || err != nil {
			return ch, err
		}
		select {
		case <-c.changes.wake:
		case <-c.done:
		case <-ctx.Done():
			return Change{}, c.cut(ctx, "no change")
		}
	}
}

// take returns the oldest difference as a change.
func (c *Cache) take() (ch Change, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return Change{}, false, c.err
	}
	d := &c.changes
	if !d.told {
		d.told = true
		c.present()
	}
	for d.order.Len() > 0 {
		last := d.order.Remove(d.order.Front()).(difference)
		delete(d.pending, last.path)
		now := c.view(c.find(last.path), last.path)
		if last.before == nil && now == nil || last.before != nil && now != nil && last.before.same(now) {
			continue
		}
		return newChange(last.path, last.before, now), true, nil
	}
	return Change{}, false, nil
}

// present makes all that is there a difference from nothing.
func (c *Cache) present() {
	var all []difference
	c.each(c.root, c.path, func(n *node, path string) {
		if n.known {
			all = append(all, difference{path: path})
		}
	})
	slices.SortFunc(all, func(a, b difference) int { return strings.Compare(a.path, b.path) })
	for _, d := range all {
		c.changes.pending[d.path] = c.changes.order.PushBack(d)
	}
}
