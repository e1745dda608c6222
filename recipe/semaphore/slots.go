package semaphore

import (
	"context"
	"errors"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// taking is how a permit comes to its slots.
type taking struct {
	slots  []int                    // that it has; nil before
	watch  *session.Watch           // of the table's znode; nil before
	token  int64                    // the zxid by which it took them
	free   clock.Instant            // no slot is free before that, unless something happens; zero if it is not known
	vacant map[string]clock.Instant // permits with slots that are gone: when their leases are over
	absent clock.Instant            // when all leases are over that rested on a table that is gone; zero if it is there
	parent int64                    // then: the latest change of the children of the table's parent
}

// waits reports whether no slot is free.
func (t *taking) waits() bool { return !t.free.IsZero() }

// forget begins again: somebody has deleted the table.
func (t *taking) forget(p *place) {
	for _, h := range p.holds[len(p.paths):] {
		h.Release()
	}
	p.holds = p.holds[:len(p.paths)]
	t.stop()
	t.slots = nil
}

func (t *taking) stop() {
	if t.watch != nil {
		t.watch.Stop()
		t.watch = nil
	}
}

// takeSlots writes the permit into the table of slots, at those that are free. It is there once the
// permit is admitted by its rank, so that there is a free one most often.
func (p *place) takeSlots(ctx context.Context) error {
	data, stat, err := p.s.Get(ctx, p.sem.slots)
	if errors.Is(err, zk.ErrNoNode) {
		return p.makeTable(ctx)
	}
	if err != nil {
		return err
	}
	p.taking.absent = clock.Instant{}
	t, err := parseTable(data)
	if err != nil {
		return &DataError{p.sem.slots, err}
	}
	name := p.paths[0][len(p.sem.leases)+1:]
	after, slots, ok := t.take(name, len(p.paths), p.record.size, p.over)
	if !ok {
		if err := p.vacate(ctx, t); err != nil {
			return err
		}
		if after, slots, ok = t.take(name, len(p.paths), p.record.size, p.over); !ok {
			p.awaitSlot()
			return nil
		}
	}
	if len(p.holds) == len(p.paths) { // the table's deletion must end the permit
		p.taking.watch = p.s.Watch(p.sem.slots, p.wake)
		p.holds = append(p.holds, p.s.Hold(p.taking.watch, p.wake))
	}
	ops := append(p.checks(), &zk.SetDataRequest{Path: p.sem.slots, Data: []byte(after.String()), Version: stat.Version})
	results, err := p.s.Multi(ctx, ops...)
	switch last := len(ops) - 1; {
	case err == nil && results[last].Stat != nil:
		p.taking.slots, p.taking.token, p.taking.free = slots, results[last].Stat.Mzxid, clock.Instant{}
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case errors.Is(err, zk.ErrNoNode) && failed(results) < last:
		return line.ErrGone
	case err == nil, errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion), session.OutcomeOf(err) == session.OutcomeUnknown:
		// Look again: another has taken some, or the answer is lost.
	default:
		return err
	}
	return nil
}

// over reports whether a permit that has taken a slot is over for certain.
func (p *place) over(name string) bool {
	n, ok := line.Parse(name)
	if ok && p.record.Over(line.NumberOf(n)) {
		return true
	}
	end, gone := p.taking.vacant[name]
	return gone && end.Reached(p.clock.Now())
}

// vacate finds out which permits in the table are gone. Until its lease is over, each may count
// itself the holder of its slot, unless the record tells that it has stopped.
func (p *place) vacate(ctx context.Context, t table) error {
	children, _, err := p.list.Children(ctx)
	if err != nil {
		return goneIfNoNode(err)
	}
	end := p.clock.Now().Add(session.Outlast(p.record.lease))
	there := map[string]bool{}
	for _, name := range children {
		there[name] = true
	}
	for _, name := range t {
		if _, known := p.taking.vacant[name]; known || there[name] {
			continue
		}
		p.taking.vacant[name] = end
		if n, ok := line.Parse(name); ok && line.Compare(n, p.youngest) < 0 && !slices.ContainsFunc(p.listed, func(l line.Name) bool { return l.Full == name }) {
			p.taking.vacant[name] = p.at.Add(session.Outlast(p.record.lease)) // it had vanished by then
		}
	}
	return p.ask(ctx, true)
}

// awaitSlot waits until a slot may be free: when a lease is over, or something happens.
func (p *place) awaitSlot() {
	now := p.clock.Now()
	p.taking.free = now.Add(p.s.Timeout() / 4)
	for _, end := range p.taking.vacant {
		if !end.Reached(now) && end.Until(now) < p.taking.free.Until(now) {
			p.taking.free = end
		}
	}
}

// makeTable makes the table of slots that is missing. It was made before the first permit, or
// somebody has deleted it: then holders of slots may go on until their leases are over. Those rest
// on beats that have found the table.
func (p *place) makeTable(ctx context.Context) error {
	// As long as the parent shows the same latest change of its children, nobody has made a table.
	parent, _, err := p.s.Exists(ctx, p.sem.path)
	if err != nil {
		return err
	}
	now := p.clock.Now()
	if p.taking.absent.IsZero() || p.taking.parent != parent.Pzxid {
		p.taking.absent, p.taking.parent = now.Add(session.Outlast(p.record.lease)), parent.Pzxid
	}
	if !p.taking.absent.Reached(now) {
		p.taking.free = p.taking.absent
		return p.vacate(ctx, nil) // so that it hears of what happens meanwhile
	}
	return p.s.EnsureNode(ctx, p.sem.slots, []byte(table{}.String()), p.sem.cfg.ACL)
}
