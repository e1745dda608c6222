package semaphore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// The table of slots stands in the record, the data of the permits' parent. While a permit's znode
// exists, its parent cannot have been deleted and made again. So a write at a version of the record
// that was read after the own create, together with a check of the own znode, changes exactly what
// was read. In a znode of its own the table could be deleted while permits are held.

// taking is what a permit knows about its slots.
type taking struct {
	slots  []int                    // that it has; nil before
	token  int64                    // the zxid by which it took them
	free   clock.Instant            // no slot is free before that, unless something happens; zero if it is not known
	vacant map[string]clock.Instant // permits with slots that are gone: when their leases are over
}

// waits reports whether no slot is free.
func (t *taking) waits() bool { return !t.free.IsZero() }

// lease returns how long it takes until the first lease is over, of the leases of permits that had
// slots and are gone. It returns 0 if no such lease may run.
func (t *taking) lease(now clock.Instant) (rest time.Duration) {
	for _, end := range t.vacant {
		if left := end.Until(now); !end.Reached(now) && (rest == 0 || left < rest) {
			rest = max(left, time.Millisecond)
		}
	}
	return rest
}

// takeSlots writes the permit into the table of slots, at those that are free. It is called once
// the permit is admitted by its rank, so mostly there is a free one.
func (p *place) takeSlots(ctx context.Context) error {
	first, _ := line.Parse(p.paths[0][len(p.sem.leases)+1:])
	own := holderOf(first)
	after, slots, ok := p.record.slots.take(own, len(p.paths), p.record.size, p.over)
	if !ok { // somebody may have gone unnoticed
		if err := p.relist(ctx); err != nil {
			return err
		}
		if err := p.ask(ctx, true); err != nil {
			return err
		}
		if after, slots, ok = p.record.slots.take(own, len(p.paths), p.record.size, p.over); !ok {
			p.awaitSlot()
			return nil
		}
	}
	r := p.record
	r.slots = after
	ops := append(p.checks(), &zk.SetDataRequest{Path: p.sem.leases, Data: []byte(r.String()), Version: p.version})
	results, err := p.s.Multi(ctx, ops...)
	switch last := len(ops) - 1; {
	case err == nil && results[last].Stat != nil:
		p.taking.slots, p.taking.token, p.taking.free = slots, results[last].Stat.Mzxid, clock.Instant{}
		return nil
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case errors.Is(err, zk.ErrNoNode):
		return line.ErrGone
	case err == nil, errors.Is(err, zk.ErrBadVersion), session.OutcomeOf(err) == session.OutcomeUnknown:
		return p.ask(ctx, true) // another has written, or the answer is lost
	}
	return err
}

// over reports whether a permit that has taken a slot is over for certain.
func (p *place) over(holder string) bool {
	if n, err := strconv.ParseInt(holder, 10, 64); err == nil && p.record.Tell(p.number()) && p.record.Over(n) {
		return true
	}
	end, gone := p.taking.vacant[holder]
	return gone && end.Reached(p.clock.Now())
}

// vacate notes which permits in the table are gone, by the list that arrived last. Until its lease
// is over, each may count itself the holder of its slot, unless the record tells that it has
// stopped.
func (p *place) vacate(children []string) {
	if !p.sem.cfg.Slots {
		return
	}
	end := p.looked.Add(session.Outlast(p.record.lease))
	there := map[string]bool{}
	for _, name := range children {
		if n, ok := line.Parse(name); ok {
			there[holderOf(n)] = true
		}
	}
	for _, holder := range p.record.slots {
		if _, known := p.taking.vacant[holder]; known || there[holder] {
			continue
		}
		p.taking.vacant[holder] = end
		n, err := strconv.ParseInt(holder, 10, 64)
		listed := slices.ContainsFunc(p.listed, func(l line.Name) bool { return holderOf(l) == holder })
		if own := p.number(); err == nil && own != line.NoNumber && n < own && !listed {
			p.taking.vacant[holder] = p.at.Add(session.Outlast(p.record.lease)) // it was gone by then
		}
	}
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
