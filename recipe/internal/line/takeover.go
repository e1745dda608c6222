package line

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// takeOver deletes the znode of the one ahead, whose lease is over, in one multi. The own znode
// must exist. The heartbeat must be as it was heard: then no beat was committed after the one that
// was heard last. It must be "revoked" afterwards: then no beat will ever be committed. heard is
// what the decision was made by: if a later beat was heard meanwhile, the multi fails.
func (p *Place) takeOver(ctx context.Context, act action, heard session.Heartbeat) error {
	ops := []any{&zk.CheckVersionRequest{Path: p.path, Version: -1}}
	switch act {
	case actRevoke:
		ops = append(ops, heard.Revoke())
	case actInherit:
		ops = append(ops, heard.Check())
	}
	name := p.ahead[len(p.ahead)-1].Full
	ops = append(ops, &zk.DeleteRequest{Path: p.dir + "/" + name, Version: -1})
	results, err := p.s.Multi(ctx, ops...)
	if err == nil {
		return p.tookOver(act, heard, results)
	}
	failed := 0
	for failed < len(results)-1 && results[failed].Error == nil {
		failed++
	}
	switch {
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case session.OutcomeOf(err) == session.OutcomeUnknown:
	case errors.Is(err, zk.ErrNoNode) && failed == 0:
		return ErrGone
	case errors.Is(err, zk.ErrNoAuth):
		p.refused = true
		p.impair(fmt.Errorf("no permission to take over from a silent candidate (WRITE on heartbeats, DELETE on the path), whose session has to expire first: %w", err))
	}
	// A beat was on its way, or the one ahead has gone meanwhile, or the answer is lost.
	p.listener.Restart(heard)
	return nil
}

// tookOver moves up. Somebody may have made a heartbeat by hand, after the session's own was gone,
// and it may have had the version that was heard. Then the takeover proves nothing, and the
// departure counts as unannounced.
func (p *Place) tookOver(act action, heard session.Heartbeat, results []zk.MultiResponse) error {
	if act == actRevoke {
		if stat := results[1].Stat; stat == nil || stat.Czxid != heard.Czxid {
			p.departed()
			return nil
		}
		p.listener.Revoked(heard.Version + 1)
	}
	p.took = p.ahead[len(p.ahead)-1].Full
	p.step()
	return nil
}
