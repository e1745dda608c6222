package lock

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
)

// Contender is one that holds a lock or waits for it, of this library or another.
type Contender struct {
	// ID and Data are what it has written itself; empty when it is hidden or was asked to release
	// the lock.
	ID   string
	Data []byte
	// Hidden: its ACL does not let us read it.
	Hidden bool
	// Reader: it is there for reading.
	Reader bool
	// Revoked: it was asked to release the lock.
	Revoked bool
	// Node is the path of its znode.
	Node string
	// Token is the fencing token that it has, or will have, as the holder; 0 if it is hidden. (A
	// writer that has become a reader keeps its older token.)
	Token int64
	// Session is the ZooKeeper session that it belongs to. 0 means a persistent znode, or that it
	// is hidden.
	Session int64
}

// Contenders returns who holds the lock and who waits for it, in order, as one server sees it. It
// reads every contender's znode: a tool for people, not for a loop.
func (l *Lock) Contenders(ctx context.Context) ([]Contender, error) {
	s, err := l.client.Session(ctx)
	if err != nil {
		return nil, err
	}
	names, err := line.List(ctx, s, l.path)
	if err != nil {
		return nil, err
	}
	var all []Contender
	for _, name := range names {
		c := Contender{Node: l.path + "/" + name.Full, Reader: name.Shared}
		data, stat, err := s.Get(ctx, c.Node)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case errors.Is(err, zk.ErrNoAuth):
			c.Hidden = true
		case err != nil:
			return nil, err
		default:
			c.Token, c.Session, c.Revoked = stat.Czxid, stat.EphemeralOwner, string(data) == line.Revocation
			if !c.Revoked {
				c.ID, c.Data = ident.Decode(data)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// Revoke asks the holder, or all readers that hold the lock, to release it. It writes what
// Curator's Revoker writes into the holder's znode. The holder decides what to do: see
// [Config.OnRevoke]. Nothing happens if nobody holds the lock. Revoke needs WRITE on the holder's
// znode.
//
// Do not use it while a Curator LeaderLatch may stand in the line: the latch takes the change for a
// deletion of the znode ahead, finds the znode still there, and is never woken again.
func (l *Lock) Revoke(ctx context.Context) error {
	s, err := l.client.Session(ctx)
	if err != nil {
		return err
	}
	names, err := line.List(ctx, s, l.path)
	if err != nil {
		return err
	}
	for i, name := range names {
		if i > 0 && !(name.Shared && names[0].Shared) {
			break
		}
		_, err := s.Set(ctx, l.path+"/"+name.Full, []byte(line.Revocation), -1)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	return nil
}
