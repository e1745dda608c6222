package cache

import (
	"context"
	"errors"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// need gives a node something to do. If a read of the node is under way, that is done after the
// read. The caller holds c.mu.
func (c *Cache) need(n *node, w work, round uint64) {
	switch {
	case n.removed:
	case n.reading && n.again == 0:
		n.again, n.againRound = w, round
		c.open[round]++
	case n.reading:
		n.again |= w
		c.bringForward(&n.againRound, round)
	case n.todo == 0:
		n.todo, n.round = w, round
		c.open[round]++
		c.push(n)
	default:
		n.todo |= w
		c.bringForward(&n.round, round)
	}
}

// push puts a node into the queue.
func (c *Cache) push(n *node) {
	c.queue = append(c.queue, n)
	if c.readers < c.most() {
		c.poke()
	}
}

// bringForward makes work part of an earlier round.
func (c *Cache) bringForward(from *uint64, to uint64) {
	if to < *from {
		c.open[to]++
		c.finish(*from)
		*from = to
	}
}

// finish takes something done off its round.
func (c *Cache) finish(round uint64) {
	if c.open[round]--; c.open[round] == 0 {
		delete(c.open, round)
		c.settle()
	}
}

// forget drops what was to be done for a node that is removed. A read under way ends by itself.
func (c *Cache) forget(n *node) {
	if n.todo != 0 { // begin passes over it
		n.todo = 0
		c.finish(n.round)
	}
	if n.again != 0 {
		n.again = 0
		c.finish(n.againRound)
	}
}

// settle finds the proofs whose rounds are done.
func (c *Cache) settle() {
	for len(c.proofs) > 0 && c.failed == nil {
		for round := range c.open {
			if round <= c.proofs[0].round {
				return
			}
		}
		c.proved, c.proofs, c.failure = c.proofs[0], c.proofs[1:], nil
		c.settled.Tell()
	}
}

// hear takes the events that have arrived. The caller holds c.mu.
func (c *Cache) hear() {
	if c.watch == nil {
		return
	}
	for _, ev := range c.watch.Events() {
		c.counts.Events++
		c.heard(ev)
	}
}

// heard takes one event.
func (c *Cache) heard(ev zk.Event) {
	n := c.find(ev.Path)
	switch {
	case ev.Type == zk.EventNodeCreated,
		n == nil && ev.Type == zk.EventNodeDataChanged: // no event has told of its creation: READ was refused
		c.created(n, ev.Path)
	case n == nil:
	case ev.Type == zk.EventNodeDataChanged && !n.known: // it has come since it was looked for
		c.need(n, c.all(n), c.round)
	case ev.Type == zk.EventNodeDataChanged:
		c.need(n, getData, c.round)
	case ev.Type == zk.EventNodeChildrenChanged && c.lists(n):
		c.need(n, getList, c.round)
	case ev.Type == zk.EventNodeDeleted && n.parent != nil:
		c.remove(n, ev.Path) // If there is another one already, its parent's list tells.
	case ev.Type == zk.EventNodeDeleted:
		// The path of the cache itself has to be looked for. It is not gone before that: a read
		// under way may still return what was there.
		c.need(n, c.all(n), c.round)
	}
}

// created handles the event of a new znode, which comes from a watch on the whole tree. n is its
// node, or nil.
func (c *Cache) created(n *node, path string) {
	if n != nil { // it has been listed already, or is the path of the cache itself
		c.need(n, c.all(n), c.round)
		return
	}
	dir, name := split(path)
	switch parent := c.find(dir); {
	case parent == nil || parent.hidden || !c.lists(parent):
	case parent.listed && !parent.reading && parent.todo == 0 && c.cfg.Keep == nil:
		c.add(parent, name, c.round)
	default: // a list that is on its way may be older, or Keep has to be asked
		c.need(parent, getList, c.round)
	}
}

// begin takes the next node out of the queue, nil if there is none: then the reader has to end.
func (c *Cache) begin() (n *node, path string, todo work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && c.failed == nil {
		n, c.queue[0] = c.queue[0], nil
		c.queue = c.queue[1:]
		if n.todo != 0 {
			todo, n.todo, n.reading, n.overtaken = n.todo, 0, true, false
			return n, n.path(c.path), todo
		}
	}
	c.readers--
	c.poke() // the path may have been found missing
	return nil, "", 0
}

// reader reads what is in the queue until that is empty.
func (c *Cache) reader(ctx context.Context, s *session.Session, w *session.TreeWatch) {
	for n, path, todo := c.begin(); n != nil; n, path, todo = c.begin() {
		ok := true
		if todo&getStat != 0 {
			stat, exists, err := s.Exists(ctx, path)
			if err == nil && !exists {
				err = zk.ErrNoNode
			}
			ok = c.answered(n, path, err, func() { c.gotStat(n, stat) })
		}
		if todo&getData != 0 && ok {
			covered := w.Covered()
			data, stat, connection, err := w.Get(ctx, path)
			empty := todo&getList != 0 && stat.NumChildren == 0 && covered != 0 && covered == connection
			ok = c.answered(n, path, err, func() {
				c.gotData(n, data, stat, connection)
				if empty { // so the list is known, too: the watch on the whole tree tells of each child that is created later
					c.gotList(n, nil, stat, connection)
				}
			})
			ok = ok && !empty
		}
		if todo&getList != 0 && ok {
			names, stat, connection, err := w.Children(ctx, path)
			if err == nil {
				names, err = c.kept(ctx, n, path, names)
			}
			c.answered(n, path, err, func() { c.gotList(n, names, stat, connection) })
		}
		c.ended(n)
	}
}

// kept leaves out the children of n that Keep rejects. It asks about those that are new, without
// c.mu: what Keep does is the user's. If ctx ends, nobody waits for the goroutine in which Keep is
// called.
func (c *Cache) kept(ctx context.Context, n *node, path string, names []string) ([]string, error) {
	if c.cfg.Keep == nil {
		return names, nil
	}
	unknown := map[string]bool{}
	c.mu.Lock()
	for _, name := range names {
		if n.children[name] == nil {
			unknown[name] = true
		}
	}
	c.mu.Unlock()
	if len(unknown) == 0 {
		return names, nil
	}
	select {
	case c.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	answer := make(chan []string, 1)
	go func() {
		defer func() { <-c.asking }()
		answer <- slices.DeleteFunc(names, func(name string) bool {
			return unknown[name] && (ctx.Err() != nil || !c.cfg.Keep(join(path, name)))
		})
	}()
	select {
	case names = <-answer:
	case <-ctx.Done():
	}
	return names, context.Cause(ctx) // what came after the end of ctx is not known
}

// answered takes the answer to one read, by take if there is one. It reports whether to go on with
// the node.
func (c *Cache) answered(n *node, path string, err error, take func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Reads++
	c.hear() // what came before the answer counts before it
	switch {
	case n.removed:
		return false
	case err == nil:
		take()
		if c.failed != nil { // the rest is left to the next session
			c.need(n, c.all(n), n.round)
		} else if n.again != c.all(n) {
			return true
		}
		// All is read again instead of the rest, so this round is not done before that is.
		c.bringForward(&n.againRound, n.round)
	case errors.Is(err, zk.ErrNoNode):
		c.gone(n, path)
		if n.overtaken { // the answer may be older than the proof, and no watch tells what has come since
			c.need(n, c.all(n), n.round)
		}
	case errors.Is(err, zk.ErrNoAuth):
		c.refused(n, path)
	default:
		c.need(n, c.all(n), n.round)
		c.fail(err)
	}
	return false
}

// fail ends following in this session. The caller holds c.mu.
func (c *Cache) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.poke()
	}
}

// ended notes the end of the read of a node.
func (c *Cache) ended(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.reading = false
	if n.again != 0 {
		n.todo, n.round, n.again, n.againRound = n.again, n.againRound, 0, n.round
		c.push(n)
		c.finish(n.againRound)
		return
	}
	c.finish(n.round)
}
