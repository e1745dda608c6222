package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/session"
)

// take notes what the path holds, and writes the first record of the line if there is none.
func (p *Place) take(ctx context.Context, data []byte, stat zk.Stat) error {
	for len(data) == 0 {
		// A candidate that has no permission to write here may have joined already, with a lease of
		// up to DefaultLease.
		first := record{lease: max(p.s.LeaseAsked(), session.DefaultLease)}
		// With a check of the own znode: else the path may have been made again, with a record.
		_, err := p.s.Multi(ctx,
			&zk.CheckVersionRequest{Path: p.path, Version: -1},
			&zk.SetDataRequest{Path: p.dir, Data: []byte(first.String()), Version: stat.Version})
		if errors.Is(err, zk.ErrNoAuth) {
			p.noRecord(session.DefaultLease, fmt.Errorf("no permission to write %s: %w", p.dir, err))
			return p.admit()
		}
		if err != nil && session.OutcomeOf(err) == session.OutcomeNotDone && !errors.Is(err, zk.ErrBadVersion) {
			return goneIfNoNode(err)
		}
		if data, stat, err = p.s.Get(ctx, p.dir); err != nil {
			return goneIfNoNode(err)
		}
	}
	p.learn(data, stat)
	return p.admit()
}

// learn notes data of the path that are not empty.
func (p *Place) learn(data []byte, stat zk.Stat) {
	p.version = stat.Version
	r, ok := parseRecord(data)
	r = r.at(stat)
	switch {
	case ok && r.Tell(p.number()):
		p.record, p.ours = r, true
	case ok:
		p.noRecord(r.lease, fmt.Errorf("the numbers of %s have run out, so that departures cannot be announced there", p.dir))
	case r.lease > 0:
		p.noRecord(r.lease, fmt.Errorf("%s holds a record that this release cannot read, so that departures cannot be announced there", p.dir))
	default:
		p.noRecord(session.DefaultLease, fmt.Errorf("%s holds somebody else's data, so that departures cannot be announced there", p.dir))
	}
}

// noRecord goes on without a record: every departure counts as unannounced, and no lease may be
// longer than this one, or than a record has allowed before.
func (p *Place) noRecord(lease time.Duration, err error) {
	p.record, p.ours = record{lease: max(p.record.lease, lease)}, false
	p.impair(err)
}

// admit refuses a lease that is longer than others expect.
func (p *Place) admit() error {
	if D := p.s.LeaseTime(); D > p.record.lease {
		refused := &recipe.LeaseError{Path: p.dir, Lease: D, Allowed: p.record.lease}
		if !p.ours {
			refused.Err = p.impaired // see noRecord
		}
		return refused
	}
	return nil
}

// refresh reads the record.
func (p *Place) refresh(ctx context.Context) error {
	data, stat, err := p.s.Get(ctx, p.dir)
	if err != nil {
		return goneIfNoNode(err)
	}
	if len(data) > 0 || p.ours {
		p.learn(data, stat)
	}
	return nil
}

// askRecord finds out which departures were announced.
func (p *Place) askRecord(ctx context.Context) error {
	if err := p.refresh(ctx); err != nil {
		return err
	}
	if err := p.admit(); err != nil {
		return err
	}
	var unannounced []departure
	for _, d := range p.departures {
		if !p.ours || !p.record.Over(d.number) {
			d.asked = true
			unannounced = append(unannounced, d)
		}
	}
	p.departures = unannounced
	return nil
}

// skip forgets those ahead that have announced their departure. When holders follow one another
// quickly they are many, and each would cost a request. The nearest stays while it is watched.
func (p *Place) skip(ctx context.Context) error {
	if err := p.askRecord(ctx); err != nil {
		return err
	}
	n := len(p.ahead)
	if p.nearest != nil {
		n--
	}
	watched := slices.Clone(p.ahead[n:])
	left := slices.DeleteFunc(p.ahead[:n], func(n Name) bool { return Ours(n.Full) && p.record.Over(number(n)) })
	p.ahead = append(left, watched...)
	return nil
}

// passed notes that one in the kept list before the nearest has gone. Others may have gone, too, so
// it reads the record once to find them.
func (p *Place) passed(ctx context.Context, i int, asked *bool) error {
	name := p.ahead[i]
	p.gone(name, p.record.lease)
	p.ahead = slices.Delete(p.ahead, i, i+1)
	p.attend() // a beat need not wait for what is asked next
	if *asked || !p.ours {
		return nil
	}
	*asked = true
	err := p.skip(ctx)
	if err != nil && Ours(name.Full) {
		p.version++ // it has written the record when it left, if it left as it should
	}
	return err
}

const (
	// holderAttempts bounds how often a writer that has led tries to announce its departure without
	// the loss of what others write into the record at the same time. Then it writes it at any
	// version, so that the next holder need not wait for it. Many may leave together, when their
	// client is closed. What is lost then costs the next contender a lease. So a holder tries more
	// often than it mostly needs to win against a few others.
	holderAttempts = 8
	// leaveAttempts is the same for the others. Nobody settles their numbers for them, and a
	// candidate that reads no announcement waits for a lease. Many may leave at the same time, and
	// one of them succeeds each time.
	leaveAttempts = 40
	// eagerAttempts is how many attempts of the others follow one another without a delay.
	eagerAttempts = 3
	// Delays between the attempts of the others, after these.
	firstLeave   = 2 * time.Millisecond
	longestLeave = 50 * time.Millisecond
)

// Leave deletes the own znode. It tries again until the znode is gone, ctx ends, or the session is
// over. A holder must have stopped before, because Leave announces that it has. The place must not
// be used any more.
func (p *Place) Leave(ctx context.Context) error {
	gone := p.led && !p.shared && p.cfg.Cleanup && p.removeLine(ctx) || (!p.led || p.cfg.Busy) && p.announce(ctx)
	if !gone {
		if err := p.s.EnsureDeleted(ctx, p.path, p.announcement()...); err != nil {
			return err
		}
	}
	p.Drop()
	return nil
}

// removeLine deletes the own znode and the path, if nobody else stands there. A writer that has led
// knows that nobody else holds anything here: those before it are over, and nobody behind it can
// have led. So the record is not needed any more. If the connection is lost, removeLine tries
// again: without the own znode nobody may delete the path.
func (p *Place) removeLine(ctx context.Context) bool {
	pause := retry.New(p.cfg.Clock, firstLeave, longestLeave)
	for i := range leaveAttempts {
		_, err := p.s.Multi(ctx, &zk.DeleteRequest{Path: p.path, Version: -1}, &zk.DeleteRequest{Path: p.dir, Version: -1})
		if err == nil || i > 0 && errors.Is(err, zk.ErrNoNode) { // an attempt before may have done it
			return true
		}
		lost := errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved)
		if !lost || p.s.Err() != nil || pause.Wait(ctx) != nil {
			return false
		}
	}
	return false
}

// announce deletes the own znode, and writes into the record that its number is over, if nobody
// else writes there at the same time. If ok is false, it has done nothing that it knows of. A
// holder that was told by a notice does not read the record: it writes what it knows, at the
// version that follows from the notice. By chance somebody else may have written that version. Then
// the record loses the number of somebody who has left, and somebody may wait for a lease.
func (p *Place) announce(ctx context.Context) (ok bool) {
	own := p.number()
	if p.led && !p.ours || own == noNumber { // one that has not led reads the record below
		return false
	}
	attempts, eager := leaveAttempts, eagerAttempts
	if p.led && !p.shared {
		attempts, eager = holderAttempts, holderAttempts
	}
	pause := retry.New(p.cfg.Clock, firstLeave, longestLeave)
	for i := range attempts {
		if i >= eager && pause.Wait(ctx) != nil {
			return false
		}
		if i > 0 || !p.led { // else what is known is enough: mostly nobody has written since
			if p.refresh(ctx) != nil || !p.ours {
				return false
			}
		}
		stood, ops := p.cfg.Clock.Now(), p.departure(p.version)
		results, err := p.s.Multi(ctx, ops...)
		if ops, refused := p.s.WithoutNotice(ops, results); refused {
			results, err = p.s.Multi(ctx, ops...)
		}
		if err == nil && results[0].Stat != nil {
			p.cfg.Memory.keep(p, p.over(own), results[0].Stat.Version, stood)
		}
		if !errors.Is(err, zk.ErrBadVersion) {
			return err == nil
		}
	}
	return false
}

// departure returns the operations that announce a departure and delete the own znode.
func (p *Place) departure(version int32) []any {
	ops := []any{&zk.SetDataRequest{Path: p.dir, Data: []byte(p.over(p.number()).String()), Version: version}}
	return append(append(ops, p.notice()...), &zk.DeleteRequest{Path: p.path, Version: -1})
}

// notice returns the operations that tell the place behind that all numbers up to the own one are
// over. Only a writer that has led gives notice, because it has settled all before it. It gives
// none if the line was empty when it joined and it has not read its own znode yet. This saves the
// servers two writes. Most often nobody waits behind such a holder. A place that does wait reads
// the record.
func (p *Place) notice() []any {
	if !p.led || p.shared || p.alone && p.unread() {
		return nil
	}
	return p.s.Notice(p.path)
}

// over is the record without the own number.
func (p *Place) over(own int64) record {
	switch {
	case !p.led:
		return p.record.leave(own)
	case p.shared:
		return p.record.settleBut(own, p.beside)
	}
	return p.record.settle(own)
}

// announcement returns what a holder writes together with the deletion of its znode. A writer asks
// for no version of the record, so that no change of holder needs a retry. A reader asks for the
// version that it knows: otherwise it would undo what other readers have written.
func (p *Place) announcement() []any {
	own := p.number()
	if !p.led || !p.ours || own == noNumber {
		return nil
	}
	version := int32(-1)
	if p.shared {
		version = p.version
	}
	set := &zk.SetDataRequest{Path: p.dir, Data: []byte(p.over(own).String()), Version: version}
	return append([]any{set}, p.notice()...)
}

// Abandon is Leave for a caller that does not wait: the znode is deleted in the background. Until
// it is gone the session beats for it, so that nobody takes it for silent.
func (p *Place) Abandon() {
	p.s.DeleteInBackground(p.path, p.Drop, p.announcement()...)
}

// withdraw is Leave for a place that nobody gets, because it was not found or another one was not.
// It may not have read the record before. It says only what is true: it has not led, and when its
// znode is deleted it never will. If somebody has copied another znode with its number here, it
// says nothing: nobody may pass that one.
func (p *Place) withdraw(ctx context.Context) {
	p.cfg.Memory = nil // perhaps it does not know the path, and has not read its own znode
	if p.number() == noNumber {
		p.Abandon()
		return
	}
	r, err := read(ctx, p.cfg.Clock, p.s, p.dir, false)
	if err != nil || Twin(p.Name(), r.names) || p.Leave(ctx) != nil {
		p.Abandon()
	}
}
