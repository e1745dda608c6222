package cache

import (
	"cmp"
	"strings"

	"github.com/go-zookeeper/zk"
)

// work is what has to be read of a znode.
type work uint8

const (
	getData work = 1 << iota
	getList
	getStat // to compare: no watch is left
)

// node is one znode in the cache. Cache.mu guards it.
type node struct {
	parent   *node // nil: the cache's own path
	name     string
	children map[string]*node
	data     []byte
	stat     zk.Stat // of the latest answer
	level    int32
	known    bool // it has been read: it belongs to the state
	hidden   bool // READ is refused
	listed   bool // a watch on its list stands, or did on the connection before
	removed  bool // it does not belong to the tree any more

	reading    bool   // a read is under way
	overtaken  bool   // of the cache's own path: a proof has been answered since the read began
	todo       work   // what has to be read; with it the node is in the queue
	again      work   // what has become necessary since the read began
	round      uint64 // that todo, or the read, belongs to
	againRound uint64
}

// path returns the whole path. root is the cache's.
func (n *node) path(root string) string {
	if n.parent == nil {
		return root
	}
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(root, "/"))
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(names[i])
	}
	return b.String()
}

// split returns the path of the parent, and the name.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return cmp.Or(path[:i], "/"), path[i+1:]
}

// join returns the path of a child.
func join(path, name string) string { return strings.TrimSuffix(path, "/") + "/" + name }

// find returns the node at path, or nil.
func (c *Cache) find(path string) *node {
	names, ok := c.below(path)
	if !ok {
		return nil
	}
	n := c.root
	for name := range strings.SplitSeq(names, "/") {
		if n == nil || name == "" {
			break
		}
		n = n.children[name]
	}
	return n
}

// below returns what of path is below the cache's own, without the slash before it.
func (c *Cache) below(path string) (rest string, ok bool) {
	if path == c.path {
		return "", true
	}
	return strings.CutPrefix(path, strings.TrimSuffix(c.path, "/")+"/")
}

// lists reports whether children of n belong to the cache.
func (c *Cache) lists(n *node) bool { return int(n.level) < c.cfg.Depth.levels() }

// all is everything that has to be read of n.
func (c *Cache) all(n *node) work {
	if c.lists(n) {
		return getData | getList
	}
	return getData
}

// view returns what the user sees of n, or nil.
func (c *Cache) view(n *node, path string) *Node {
	if n == nil || !n.known {
		return nil
	}
	return &Node{Path: path, Data: n.data, Stat: n.stat, Hidden: n.hidden}
}

// gotStat compares the node with the Stat of its znode.
func (c *Cache) gotStat(n *node, stat zk.Stat) {
	is := n.stat
	switch {
	case n.hidden || !n.known || is.Czxid != stat.Czxid:
		c.need(n, c.all(n), n.round)
	case is.Mzxid != stat.Mzxid:
		c.need(n, getData, n.round)
	}
	if n.listed && (is.Pzxid != stat.Pzxid || is.Cversion != stat.Cversion || is.NumChildren != stat.NumChildren) {
		c.need(n, getList, n.round)
	}
}

// lost reports whether the watch of a read has been lost with its connection. Then the node has to
// be read again.
func (c *Cache) lost(n *node, connection uint64) bool {
	if connection != 0 && connection == c.latest {
		return false
	}
	c.need(n, c.all(n), n.round)
	return true
}

// gotData takes what a read of data has returned.
func (c *Cache) gotData(n *node, data []byte, stat zk.Stat, connection uint64) {
	if c.lost(n, connection) {
		return
	}
	path := n.path(c.path)
	before := c.view(n, path)
	c.bytes += int64(len(data) - len(n.data))
	delete(c.hidden, n)
	relist := n.known && (n.hidden || n.stat.Czxid != stat.Czxid) // there is no list, or it is another one's
	n.data, n.stat, n.known, n.hidden = data, stat, true, false
	if before == nil || !before.same(c.view(n, path)) {
		c.changed(path, before)
	}
	if c.bytes > c.cfg.MaxBytes {
		c.tooLarge(path, "bytes", c.bytes, c.cfg.MaxBytes)
	}
	if c.lists(n) {
		if have := c.nodes - len(n.children) + int(stat.NumChildren); have > c.cfg.MaxNodes && c.cfg.Keep == nil {
			c.tooLarge(path, "znodes", int64(have), int64(c.cfg.MaxNodes))
		}
		if relist {
			c.need(n, getList, n.round)
		}
	}
}

// gotList takes what a list of children has returned.
func (c *Cache) gotList(n *node, names []string, stat zk.Stat, connection uint64) {
	if c.lost(n, connection) {
		return
	}
	if stat.Czxid != n.stat.Czxid { // another znode has come since the data were read
		c.need(n, c.all(n), n.round)
	}
	// What belongs to the data stays as it was read with them.
	n.stat.Cversion, n.stat.NumChildren, n.stat.Pzxid, n.listed = stat.Cversion, stat.NumChildren, stat.Pzxid, true
	present := make(map[string]bool, len(names))
	for _, name := range names {
		present[name] = true
		switch child := n.children[name]; {
		case child == nil:
			if !c.add(n, name, n.round) {
				return
			}
		case child.reading || child.todo != 0:
			// A read under way may be older than the list: it may find no znode where a new one has
			// been created since.
			c.need(child, c.all(child), n.round)
		}
	}
	for name, child := range n.children {
		if !present[name] {
			c.remove(child, child.path(c.path))
		}
	}
}

// add makes a node for a new child. It reports whether there was room.
func (c *Cache) add(parent *node, name string, round uint64) bool {
	child := &node{parent: parent, name: name, level: parent.level + 1}
	path := child.path(c.path)
	if c.nodes++; c.nodes > c.cfg.MaxNodes {
		c.tooLarge(path, "znodes", int64(c.nodes), int64(c.cfg.MaxNodes))
		return false
	}
	c.bytes += int64(len(name))
	if parent.children == nil {
		parent.children = map[string]*node{}
	}
	parent.children[name] = child
	c.need(child, c.all(child), round)
	return true
}

// gone notes that a read has found no znode. The node stays, as one that is not known, if it is the
// cache's own path, or is to be read again: something newer may have named it.
func (c *Cache) gone(n *node, path string) {
	if n.parent != nil && n.again == 0 {
		c.remove(n, path)
		return
	}
	if n.again != 0 {
		c.need(n, c.all(n), n.againRound)
	}
	for name, child := range n.children {
		c.remove(child, join(path, name))
	}
	before := c.view(n, path)
	c.bytes -= int64(len(n.data))
	delete(c.hidden, n)
	n.data, n.stat, n.known, n.hidden, n.listed = nil, zk.Stat{}, false, false, false
	if before != nil {
		c.changed(path, before)
	}
}

// remove takes a node and all below it out of the tree.
func (c *Cache) remove(n *node, path string) {
	for name, child := range n.children {
		c.remove(child, join(path, name))
	}
	before := c.view(n, path)
	n.removed, n.known = true, false
	delete(c.hidden, n)
	delete(n.parent.children, n.name)
	c.nodes--
	c.bytes -= int64(len(n.name) + len(n.data))
	c.forget(n)
	if before != nil {
		c.changed(path, before)
	}
}

// refused notes that READ is refused. The znodes below cannot be followed.
func (c *Cache) refused(n *node, path string) {
	for name, child := range n.children {
		c.remove(child, join(path, name))
	}
	before := c.view(n, path)
	c.bytes -= int64(len(n.data))
	n.data, n.known, n.hidden, n.listed = nil, true, true, false
	c.hidden[n] = struct{}{}
	if before == nil || !before.Hidden {
		c.changed(path, before)
	}
}

// tooLarge ends the cache.
func (c *Cache) tooLarge(path, what string, have, most int64) {
	c.fail(&TooLargeError{Path: path, What: what, Have: have, Max: most})
}
