package semaphore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// takeOver deletes the znode of an older permit that still blocks, and whose lease is over. silent
// is what the decision was made by.
func (p *place) takeOver(ctx context.Context, silent heard) error {
	name := silent.name
	err := p.hearing.listeners[p.hearing.owners[name.Full]].TakeOver(ctx, silent.heartbeat, p.sem.leases+"/"+name.Full, p.paths...)
	switch {
	case err == nil:
		p.took, p.taught = name.Full, true
		p.taking.vacant[holderOf(name)] = p.clock.Now() // its slots are free
	case errors.Is(err, session.ErrUnproved): // it counts as unannounced
		p.departed(name)
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case errors.Is(err, session.ErrOwnGone):
		return line.ErrGone
	case session.OutcomeOf(err) == session.OutcomeNotDone && errors.Is(err, zk.ErrNoAuth):
		p.hearing.refused = true
		p.impaired = fmt.Errorf("no permission to take over from a silent holder (WRITE on heartbeats, DELETE on the path), whose session has to expire first: %w", err)
		return p.relist(ctx)
	default: // a beat was on its way, or the older permit has gone meanwhile, or the answer is lost
		return p.relist(ctx)
	}
	p.older = slices.DeleteFunc(p.older, func(n line.Name) bool { return n == name })
	return nil
}
