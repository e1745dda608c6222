package watch

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// Gone waits until there is no znode at path, and then returns nil. If the znode is deleted and
// created again at once, Gone may miss that. It also works without READ on the znode: then it polls
// every T/4 whether the znode exists. Newer servers do not tell that without READ. Then Gone polls
// the list of the parent's children, which needs READ on the parent.
//
// The error is the cause of ctx or the reason for which the session is over, wrapped.
func Gone(ctx context.Context, s *session.Session, path string) error {
	f := follow[struct{}](s, path, sameData)
	f.read = func(ctx context.Context) (none struct{}, stat zk.Stat, err error) {
		_, stat, err = f.watch.Get(ctx)
		if errors.Is(err, zk.ErrNoAuth) { // older servers tell without READ that a znode exists
			var ok bool
			if stat, ok, err = s.Exists(ctx, path); err == nil && !ok {
				err = zk.ErrNoNode
			}
		}
		if errors.Is(err, zk.ErrNoAuth) { // newer servers do not; the list of the parent tells it
			var names []string
			dir, name := parent(path)
			if names, _, err = s.Children(ctx, dir); err == nil && !slices.Contains(names, name) {
				err = zk.ErrNoNode
			}
		}
		return none, stat, err
	}
	defer f.end()
	for {
		if v, err := f.next(ctx); err != nil || !v.exists {
			return err
		}
	}
}

// parent splits a path into that of its parent and its last part.
func parent(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return cmp.Or(path[:i], "/"), path[i+1:]
}

// State is one state of a znode.
type State struct {
	// Exists is false for a missing znode; then the rest is zero.
	Exists bool
	// Data is the znode's data. It is the caller's to keep and to change.
	Data []byte
	// Stat is from the same read as Data.
	Stat zk.Stat
}

// Node follows the existence and the data of one znode, which need not exist. Use it for
// configuration, or for anything else that somebody writes and others act upon.
//
// Next may be called by one goroutine at a time, Stop by any.
type Node struct{ f *follower[[]byte] }

// NewNode begins to follow the znode at path for as long as the session lasts. It does no I/O. Call
// Stop when done.
func NewNode(s *session.Session, path string) *Node {
	f := follow[[]byte](s, path, sameData)
	f.read = f.watch.Get
	return &Node{f}
}

// Next returns the present state the first time it is called. Later it waits until the state
// differs from the one that it returned last: the znode was created or deleted, it is another znode
// with the same name, or its data were set. Setting equal data counts, too.
//
// The error is the cause of ctx, the reason for which the session is over, ErrStopped or
// zk.ErrNoAuth, wrapped. After an error Next may be called again, and has missed nothing. If a
// permission is missing, that call asks the server again at once.
func (n *Node) Next(ctx context.Context) (State, error) {
	v, err := n.f.next(ctx)
	return State{v.exists, v.value, v.stat}, err
}

// Stop stops following, and ends a Next that waits. It may be called more than once.
func (n *Node) Stop() { n.f.end() }

// List is one state of a znode's list of children.
type List struct {
	// Exists is false for a missing znode; then the rest is zero.
	Exists bool
	// Names are the children's names, without the parent's path, sorted as strings. The slice is
	// the caller's to keep and to change.
	Names []string
	// Stat is the parent's, from the same read as Names.
	Stat zk.Stat
}

// Children follows the list of one znode's children; the znode need not exist. Use it for group
// membership. If there are many children, follow single ones instead: every change sends the whole
// list to all who follow it.
//
// Next may be called by one goroutine at a time, Stop by any.
type Children struct{ f *follower[[]string] }

// NewChildren begins to follow the children of the znode at path for as long as the session lasts.
// It does no I/O. Call Stop when done.
func NewChildren(s *session.Session, path string) *Children {
	f := follow[[]string](s, path, sameChildren)
	f.read = f.watch.Children
	return &Children{f}
}

// Next returns the present list the first time it is called. Later it waits until a child, or the
// znode itself, was created or deleted since the list that it returned last. If the same name came
// and went in between, the lists are equal. Its errors are those of [Node.Next].
func (c *Children) Next(ctx context.Context) (List, error) {
	v, err := c.f.next(ctx)
	slices.Sort(v.value)
	return List{v.exists, v.value, v.stat}, err
}

// Stop stops following, and ends a Next that waits. It may be called more than once.
func (c *Children) Stop() { c.f.end() }

// sameData and sameChildren compare the numbers of transactions: of the one that created the znode,
// and of the last one that set its data or changed its list. Each change has a number of its own.
// If the numbers are equal, no watch has fired in between.
func sameData(a, b zk.Stat) bool { return a.Czxid == b.Czxid && a.Mzxid == b.Mzxid }

func sameChildren(a, b zk.Stat) bool {
	// Cversion tells changes within one transaction apart. NumChildren is compared because after
	// 2^31 changes of a list a create changes neither Pzxid nor Cversion (seen on 3.8.0).
	return a.Czxid == b.Czxid && a.Pzxid == b.Pzxid && a.Cversion == b.Cversion && a.NumChildren == b.NumChildren
}
