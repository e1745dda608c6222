package semaphore

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

const (
	// leaveAttempts bounds how often a permit tries to announce its end. Others write the record at
	// the same time, and only one of those who try at once succeeds each time. Without the
	// announcement others may have to wait for a lease.
	leaveAttempts = 40
	// Delays between the attempts.
	firstLeave   = 2 * time.Millisecond
	longestLeave = 50 * time.Millisecond

	// maxBytesTogether bounds the deletions of one multi: a request has less than 1 MiB, and the
	// record is in it, too. For each deletion overhead is counted besides the path.
	maxBytesTogether = 1 << 19
	overhead         = 64
)

// Leave deletes the own znodes. It tries again until they are gone, ctx ends, or the session is
// over. A holder must have stopped before, because Leave announces that it has. The place must not
// be used any more.
func (p *place) Leave(ctx context.Context) error {
	if !p.announce(ctx) {
		if err := atOnce(len(p.paths), func(i int) error { return p.s.EnsureDeleted(ctx, p.paths[i]) }); err != nil {
			return err
		}
	}
	p.Drop()
	return nil
}

// announce deletes the own znodes, and writes into the record that their numbers are over, in one
// multi, or in several if one has no room for all. If ok is false, znodes may still be there.
func (p *place) announce(ctx context.Context) (ok bool) {
	select { // so that permits of one process do not compete
	case p.sem.leaving <- struct{}{}:
		defer func() { <-p.sem.leaving }()
	case <-ctx.Done():
		return false
	case <-p.s.Done():
		return false
	}
	if p.number() == line.NoNumber {
		return false
	}
	there := slices.Clone(p.paths)
	pause := retry.New(p.clock, firstLeave, longestLeave)
	for range leaveAttempts {
		data, stat, err := p.read(ctx, false)
		if err != nil {
			return errors.Is(err, zk.ErrNoNode)
		}
		r, err := parseRecord(data, stat)
		if err != nil {
			return false
		}
		ops := []any{&zk.SetDataRequest{Path: p.sem.leases, Data: []byte(p.ended(r).String()), Version: stat.Version}}
		for bytes := 0; len(ops) <= len(there) && bytes < maxBytesTogether; {
			path := there[len(ops)-1]
			ops, bytes = append(ops, &zk.DeleteRequest{Path: path, Version: -1}), bytes+len(path)+overhead
		}
		results, err := p.s.Multi(ctx, ops...)
		switch at := failed(results); {
		case err == nil:
			if there = there[len(ops)-1:]; len(there) == 0 {
				return true
			}
			continue
		case errors.Is(err, zk.ErrNoNode) && at > 0 && at < len(ops): // that one is gone already
			// Without any, nobody could tell that the record is still that of our numbers: a path
			// that was deleted and made again begins with 0.
			if there = slices.Delete(there, at-1, at); len(there) == 0 {
				return true
			}
			continue
		case errors.Is(err, zk.ErrBadVersion), session.OutcomeOf(err) == session.OutcomeUnknown:
		default:
			return false
		}
		if pause.Wait(ctx) != nil || p.s.Err() != nil {
			return false
		}
	}
	return false
}

// ended returns the record with what is over when this permit has ended.
func (p *place) ended(r record) record {
	r = p.known(r, p.clock.Now()) // while our own are not over
	for _, path := range p.paths {
		if n, ok := line.Parse(path[len(p.sem.leases)+1:]); ok && line.NumberOf(n) != line.NoNumber {
			r = r.add(line.NumberOf(n))
		}
	}
	return r.bound()
}

// known returns the record with those older permits that are over by now, as far as this permit
// knows: all except those that were there when it looked last, and those whose leases may run.
func (p *place) known(r record, now clock.Instant) record {
	own := p.number() // 0 if its place was never found: then nobody is known to be over
	if !r.Tell(own) || !p.at.Add(session.Outlast(r.lease)).Reached(now) {
		return r
	}
	var except []int64
	for _, n := range p.listed {
		if p.isOwn(n) {
			except = append(except, line.NumberOf(n))
		}
	}
	for _, n := range p.older {
		except = append(except, line.NumberOf(n))
	}
	for _, d := range p.gone {
		if !d.over.Reached(now) {
			except = append(except, d.number)
		}
	}
	return r.addBelow(own, except)
}

// teach writes what this permit has found out about others into the record, so that those who come
// need not wait for it again. If it does not succeed, they may have to.
func (p *place) teach(ctx context.Context) {
	for again := p.taught; again; {
		data, stat, err := p.read(ctx, false)
		if err != nil {
			return
		}
		r, err := parseRecord(data, stat)
		known := p.known(r, p.clock.Now()).bound()
		if err != nil || known.String() == r.String() {
			return
		}
		// With a check of an own znode: else the path may have been made again, with other numbers.
		_, err = p.s.Multi(ctx, append(p.checks()[:1], &zk.SetDataRequest{Path: p.sem.leases, Data: []byte(known.String()), Version: stat.Version})...)
		again = errors.Is(err, zk.ErrBadVersion)
	}
}

// Abandon is Leave for a caller that does not wait, without an announcement: the znodes are deleted
// in the background. Until they are gone the session beats for them, so that nobody takes it for
// silent.
func (p *place) Abandon() {
	var left atomic.Int32
	for _, path := range p.paths {
		p.s.DeleteInBackground(path, func() {
			if int(left.Add(1)) == len(p.paths) {
				p.Drop()
			}
		})
	}
}
