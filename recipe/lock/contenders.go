package lock

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
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
// Curator's Revoker writes into the znode of each, which takes WRITE there. If there is no
// permission to ask some, Revoke asks the others, and returns what was refused, joined. A holder
// decides what to do: see [Config.OnRevoke].
//
// Revoke asks those who are first in line after the call. If they have gone when it writes, it asks
// those who come after them. One that is first and does not hold the lock yet is told when it
// does. If nobody stands in line, Revoke asks nobody and returns nil.
//
// Do not use it while a Curator LeaderLatch may stand in the line: the change uses up the latch's
// watch on the znode ahead, and the latch does not hear when that znode is deleted. Of the holders
// of other libraries only a Curator lock with makeRevocable is told.
func (l *Lock) Revoke(ctx context.Context) error {
	s, err := l.client.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := s.QuorumSync(ctx, l.path); err != nil { // the server may lag
		return err
	}
	for {
		names, err := line.List(ctx, s, l.path)
		if err != nil || len(names) == 0 {
			return err
		}
		if there, err := l.revoke(ctx, s, names); there || err != nil {
			return err
		}
	}
}

// revoke asks the first in line, or all readers that are first, to release the lock. It reports
// whether it has found one of them. If not, the server has heard by now that all of them have gone.
func (l *Lock) revoke(ctx context.Context, s *session.Session, names []line.Name) (there bool, err error) {
	var refused []error
	for i, name := range names {
		if i > 0 && !(name.Shared && names[0].Shared) {
			break
		}
		_, err := s.Set(ctx, l.path+"/"+name.Full, []byte(line.Revocation), -1)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case errors.Is(err, zk.ErrNoAuth):
			refused = append(refused, err)
		case err != nil:
			return there, errors.Join(append(refused, err)...)
		}
		there = true
	}
	return there, errors.Join(refused...)
}
