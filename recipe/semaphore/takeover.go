package semaphore

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// takeOver deletes the znode of an older permit that still blocks, and whose lease is over, in one
// multi. The own znodes must exist. The heartbeat must be as it was heard: then no beat was
// committed after the one that was heard last. It must be "revoked" afterwards: then no beat will
// ever be committed.
func (p *place) takeOver(ctx context.Context, act action, from heard) error {
	ops := p.checks()
	revoking := len(ops)
	switch act {
	case actRevoke:
		ops = append(ops, from.heartbeat.Revoke())
	case actInherit:
		ops = append(ops, from.heartbeat.Check())
	}
	ops = append(ops, &zk.DeleteRequest{Path: p.sem.leases + "/" + from.name.Full, Version: -1})
	results, err := p.s.Multi(ctx, ops...)
	switch {
	case err == nil:
		p.tookOver(act, from, results[revoking])
		return nil
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case session.OutcomeOf(err) == session.OutcomeUnknown:
	case errors.Is(err, zk.ErrNoNode) && failed(results) < revoking:
		return line.ErrGone
	case errors.Is(err, zk.ErrNoAuth):
		p.hearing.refused = true
		p.impaired = fmt.Errorf("no permission to take over from a silent holder (WRITE on heartbeats, DELETE on the path), whose session has to expire first: %w", err)
	}
	// A beat was on its way, or the older permit has gone meanwhile, or the answer is lost.
	if listener := p.hearing.listeners[p.hearing.owners[from.name.Full]]; listener != nil {
		listener.Restart(from.heartbeat)
	}
	return p.relist(ctx)
}

// checks are the operations that fail if an own znode is gone.
func (p *place) checks() (ops []any) {
	for _, path := range p.paths {
		ops = append(ops, &zk.CheckVersionRequest{Path: path, Version: -1})
	}
	return ops
}

// failed returns which operation of a multi failed.
func failed(results []zk.MultiResponse) int {
	for i, r := range results {
		if r.Error != nil {
			return i
		}
	}
	return len(results)
}

// tookOver forgets the older permit that was deleted. It is over, so its slots are free. There is
// one exception: somebody may have made a heartbeat by hand, after the session's own was gone, and
// it may have had the version that was heard. Then the takeover proves nothing, and the departure
// counts as unannounced.
func (p *place) tookOver(act action, from heard, revoked zk.MultiResponse) {
	proved := true
	if act == actRevoke {
		proved = revoked.Stat != nil && revoked.Stat.Czxid == from.heartbeat.Czxid
		if proved {
			p.hearing.listeners[p.hearing.owners[from.name.Full]].Revoked(from.heartbeat.Version + 1)
		}
	}
	if proved {
		p.took, p.taught = from.name.Full, true
		p.taking.vacant[holderOf(from.name)] = p.clock.Now() // its slots are free
	} else {
		p.departed(from.name)
	}
	for i, n := range p.older {
		if n == from.name {
			p.older = append(p.older[:i:i], p.older[i+1:]...)
			return
		}
	}
}
