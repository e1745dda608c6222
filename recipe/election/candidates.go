package election

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
)

// Candidate is one who stands in line, of this library or another. The zero Candidate means nobody.
type Candidate struct {
	// ID and Data are what it has written itself; empty when it is hidden.
	ID   string
	Data []byte
	// Hidden: its ACL does not let us read it.
	Hidden bool
	// Node is the path of its znode, "" for nobody.
	Node string
	// Token is the fencing token that it has, or will have, as the leader; 0 if it is hidden.
	// Compare it with Term.Token to recognize a term.
	Token int64
	// Session is the ZooKeeper session that it belongs to. 0 means a persistent znode, or that it
	// is hidden.
	Session int64
}

func (c Candidate) same(other Candidate) bool {
	return c.Node == other.Node && c.Hidden == other.Hidden && c.Token == other.Token && c.ID == other.ID && string(c.Data) == string(other.Data)
}

// Candidates returns the line of succession, the leader first, as one server sees it. It reads
// every candidate's znode: a tool for people, not for a loop.
func (e *Election) Candidates(ctx context.Context) ([]Candidate, error) {
	s, err := e.client.Session(ctx)
	if err != nil {
		return nil, err
	}
	children, _, err := s.Children(ctx, e.path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := line.Order(ctx, s, e.path, children)
	if err != nil {
		return nil, err
	}
	var all []Candidate
	for _, name := range names {
		data, stat, err := s.Get(ctx, e.path+"/"+name.Full)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case errors.Is(err, zk.ErrNoAuth):
			all = append(all, Candidate{Node: e.path + "/" + name.Full, Hidden: true})
			continue
		case err != nil:
			return nil, err
		}
		id, rest := ident.Decode(data)
		all = append(all, Candidate{ID: id, Data: rest, Node: e.path + "/" + name.Full, Token: stat.Czxid, Session: stat.EphemeralOwner})
	}
	return all, nil
}
