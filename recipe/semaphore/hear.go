package semaphore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// hear finds out which of the older permits that still block this one have ended. It watches the
// record and the list as long as older permits block. A permit that ends changes both at once, and
// most often the record tells everything.
func (p *place) hear(ctx context.Context) error {
	for !p.admitted && (p.blocked() || p.taking.waits()) {
		if p.data.Armed() && p.list.Armed() {
			return nil
		}
		p.taking.free = clock.Instant{} // perhaps a slot is free now
		if err := p.ask(ctx, true); err != nil {
			return err
		}
		if p.blocked() && !p.list.Armed() {
			if err := p.relist(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask reads the record, and forgets those that have announced their end.
func (p *place) ask(ctx context.Context, watched bool) error {
	data, stat, err := p.read(ctx, watched)
	for err == nil && len(data) == 0 {
		if err = p.writeFirst(ctx, stat); err == nil {
			data, stat, err = p.read(ctx, watched)
		}
	}
	if err != nil {
		return goneIfNoNode(err)
	}
	if p.record, err = p.sem.accept(data, stat, p.s.LeaseTime()); err != nil {
		return err
	}
	p.version, p.asked = stat.Version, p.clock.Now()
	if p.record.Tell(p.number()) {
		over := func(n line.Name) bool { return line.Ours(n.Full) && p.record.Over(line.NumberOf(n)) }
		p.older = slices.DeleteFunc(p.older, over)
		p.gone = slices.DeleteFunc(p.gone, func(d departure) bool { return p.record.Over(d.number) })
	}
	for i := range p.gone {
		p.gone[i].asked = true
	}
	return nil
}

// writeFirst writes the record if there is none. The multi checks an own znode: the path that was
// found empty might have been deleted, and made again with a record.
func (p *place) writeFirst(ctx context.Context, stat zk.Stat) error {
	first, err := p.sem.beside(p.s, stat)
	if err != nil {
		return err
	}
	results, err := p.s.Multi(ctx, append(p.checks()[:1], &zk.SetDataRequest{Path: p.sem.leases, Data: []byte(first.at(stat).String()), Version: stat.Version})...)
	switch {
	case errors.Is(err, zk.ErrNoNode) && failed(results) == 0:
		return line.ErrGone
	case errors.Is(err, zk.ErrBadVersion), session.OutcomeOf(err) == session.OutcomeUnknown && ctx.Err() == nil && p.s.Err() == nil:
		return nil // it is read again anyway
	}
	return err
}

func (p *place) read(ctx context.Context, watched bool) ([]byte, zk.Stat, error) {
	get := p.data.Get
	if !watched {
		get = func(ctx context.Context) ([]byte, zk.Stat, error) { return p.s.Get(ctx, p.sem.leases) }
	}
	return tied(ctx, p.s, p.sem.leases, get)
}

// relist lists the permits again. A later list can only tell that somebody has gone.
func (p *place) relist(ctx context.Context) error {
	children, _, err := p.list.Children(ctx)
	if err != nil {
		return goneIfNoNode(err)
	}
	p.looked = p.clock.Now()
	there := make(map[string]bool, len(children))
	for _, name := range children {
		there[name] = true
	}
	p.older = slices.DeleteFunc(p.older, func(n line.Name) bool {
		if !there[n.Full] {
			p.departed(n)
		}
		return !there[n.Full]
	})
	p.vacate(children)
	return nil
}

// departed notes that one of the older ones has gone. Until its lease is over it may count itself a
// holder, unless the record tells that it has stopped. A permit of another library has no lease.
func (p *place) departed(n line.Name) {
	if line.Ours(n.Full) {
		over := p.clock.Now().Add(session.Outlast(p.record.lease))
		p.gone = append(p.gone, departure{number: line.NumberOf(n), count: 1, over: over})
		p.taught = true
	}
}

const (
	// listenAfter is the part of a lease for which a permit waits before it finds out the sessions
	// of the older permits that still block. Most often one of those ends before that.
	listenAfter = 4
	// listenTo bounds the number of sessions to which one permit listens at a time. If the permits
	// of more sessions block, it listens to some of them for two leases, and then to others.
	listenTo = 16
)

// hearing is what is known of the sessions of the older permits that still block.
type hearing struct {
	owners     map[string]int64 // by name, as far as they are known
	persistent map[string]bool  // names of those that do not end with a session
	hidden     map[string]bool  // names of those whose owner the server does not tell us
	listeners  map[int64]*session.Listener
	heard      []heard
	refused    bool // we are not permitted to take over
	// If there are too many sessions to listen to all, it listens to those in turn until the
	// instant until. Those in had have had their turn, and wait until all have had one.
	turn, had []int64
	until     clock.Instant
}

// heard is what was heard of the older permit with that name.
type heard struct {
	name      line.Name
	heartbeat session.Heartbeat
}

func newHearing() hearing {
	return hearing{owners: map[string]int64{}, persistent: map[string]bool{}, hidden: map[string]bool{}, listeners: map[int64]*session.Listener{}}
}

func (h *hearing) stop() {
	for owner, listener := range h.listeners {
		listener.Stop()
		delete(h.listeners, owner)
	}
	h.heard = nil
}

// attend does what is due while older permits block this one. It lists the permits again, because
// watches may fail. It finds out to which sessions the permits belong, and listens to these. It
// reports whether it has done something. A signal interrupts it: nothing may delay this permit when
// it may begin.
func (p *place) attend(ctx context.Context, now clock.Instant) (busy bool, err error) {
	if p.admitted || !p.blocked() || !p.at.Add(p.s.LeaseTime()/listenAfter).Passed(now) {
		return false, nil
	}
	ctx, stop := line.UntilWoken(ctx, p.wake)
	defer stop()
	defer func() {
		if line.Woken(ctx) {
			busy, err = true, nil
		}
	}()
	if p.looked.Add(p.s.Timeout() / 4).Passed(now) {
		if err := p.ask(ctx, true); err != nil {
			return true, err
		}
		return true, p.relist(ctx)
	}
	for _, n := range p.older {
		if _, known := p.hearing.owners[n.Full]; known {
			continue
		}
		stat, ok, err := p.s.Exists(ctx, p.sem.leases+"/"+n.Full)
		switch {
		case errors.Is(err, zk.ErrNoAuth):
			p.hearing.hidden[n.Full] = true
			if line.Ours(n.Full) && p.impaired == nil {
				p.impaired = fmt.Errorf("the znode %s of a holder cannot be read, so that its session has to expire first: %w", n.Full, err)
			}
		case err != nil:
			return true, err
		case !ok:
			return true, p.relist(ctx)
		}
		p.hearing.owners[n.Full] = stat.EphemeralOwner
		p.hearing.persistent[n.Full] = ok && stat.EphemeralOwner == 0
	}
	p.listen(now)
	return false, nil
}

// listen listens to the sessions of the older permits that still block, or to those whose turn it
// is.
func (p *place) listen(now clock.Instant) {
	var owners []int64
	for _, n := range p.older {
		if o := p.hearing.owners[n.Full]; line.Ours(n.Full) && o != 0 && o != p.s.ID() && !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
	}
	owners = p.hearing.whose(owners, now, 2*p.record.lease)
	for o, listener := range p.hearing.listeners {
		if !slices.Contains(owners, o) {
			listener.Stop()
			delete(p.hearing.listeners, o)
		}
	}
	for _, o := range owners {
		if p.hearing.listeners[o] == nil {
			p.hearing.listeners[o] = p.s.Listen(o, p.wake)
		}
	}
}

// whose returns the owners whose turn it is. If there are too many for one turn, each turn lasts
// for d.
func (h *hearing) whose(owners []int64, now clock.Instant, d time.Duration) []int64 {
	if len(owners) <= listenTo {
		h.turn, h.had, h.until = nil, nil, clock.Instant{}
		return owners
	}
	without := func(some []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(owners), func(o int64) bool { return slices.Contains(some, o) })
	}
	if h.until.Reached(now) {
		next := without(h.had)
		if len(next) == 0 {
			next, h.had = owners, nil
		}
		h.turn = next[:min(len(next), listenTo)]
		h.had, h.until = append(h.had, h.turn...), now.Add(d)
	}
	return without(without(h.turn)) // some may have gone
}

// heartbeats returns what has been heard of the older permits that still block.
func (p *place) heartbeats() (beats []session.Heartbeat) {
	p.hearing.heard = nil
	for _, n := range p.older {
		listener := p.hearing.listeners[p.hearing.owners[n.Full]]
		if listener == nil || p.hearing.refused || !line.Ours(n.Full) {
			continue
		}
		beat := listener.Heartbeat()
		if beat.Err != nil && p.impaired == nil {
			p.impaired = fmt.Errorf("the heartbeat %s of a holder cannot be read, so that its session has to expire first: %w", beat.Path, beat.Err)
		}
		p.hearing.heard, beats = append(p.hearing.heard, heard{n, beat}), append(beats, beat)
	}
	return beats
}
