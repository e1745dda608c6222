package semaphore

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// Holder is a permit as others see it. Permits that were acquired together make one Holder each.
type Holder struct {
	// ID is the holder's, [Config.ID]; empty when it is hidden.
	ID string
	// Hidden: its ACL does not let us read it.
	Hidden bool
	// Node is the path of the permit's znode.
	Node string
	// Slots are those that were given to this permit, with [Config.Slots]. The first of several
	// permits that were acquired at once has those of all.
	Slots []int
	// Session is the id of the holder's ZooKeeper session. 0 means a persistent znode, or that it
	// is hidden.
	Session int64
}

// Holders lists who holds permits, oldest first. It is a past state: some may have ended, and some
// perhaps do not know yet that they hold one. It costs a read for each holder, and two or three
// more.
func (s *Semaphore) Holders(ctx context.Context) ([]Holder, error) {
	at, err := s.client.Session(ctx)
	if err != nil {
		return nil, err
	}
	names, r, err := s.list(ctx, at)
	if err != nil {
		return nil, err
	}
	slots := r.slots.byHolder()
	var all []Holder
	for _, n := range names[:min(r.size, len(names))] {
		h := Holder{Node: s.leases + "/" + n.Full, Slots: slots[holderOf(n)]}
		data, stat, err := at.Get(ctx, h.Node)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			continue
		case errors.Is(err, zk.ErrNoAuth):
			h.Hidden = true
		case err != nil:
			return nil, err
		default:
			h.ID, _ = ident.Decode(data)
			h.Session = stat.EphemeralOwner
		}
		all = append(all, h)
	}
	return all, nil
}

// list returns the znodes of permits, oldest first, and the record.
func (s *Semaphore) list(ctx context.Context, at *session.Session) ([]line.Name, record, error) {
	children, _, err := at.Children(ctx, s.leases)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, record{}, nil
	}
	if err != nil {
		return nil, record{}, err
	}
	names, err := line.Order(ctx, at, s.leases, children)
	if err != nil {
		return nil, record{}, err
	}
	data, stat, err := at.Get(ctx, s.leases)
	if err != nil {
		return nil, record{}, err
	}
	if len(data) == 0 { // another library has made it: nobody of ours has used it
		return names, record{size: len(names)}, nil
	}
	r, err := parseRecord(data, stat)
	if err != nil {
		return nil, record{}, &DataError{s.leases, err}
	}
	return names, r, nil
}
