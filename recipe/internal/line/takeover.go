package line

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// takeOver deletes the znode of the one ahead, whose lease is over, and moves up. heard is what the
// decision was made by: if a later beat was heard meanwhile, the takeover fails.
func (p *Place) takeOver(ctx context.Context, heard session.Heartbeat) error {
	name := p.ahead[len(p.ahead)-1].Full
	err := p.listener.TakeOver(ctx, heard, p.dir+"/"+name, p.path)
	switch {
	case err == nil:
		p.took = name
		p.step()
	case errors.Is(err, session.ErrUnproved): // it counts as unannounced
		p.departed()
	case ctx.Err() != nil || p.s.Err() != nil:
		return err
	case errors.Is(err, session.ErrOwnGone):
		return ErrGone
	case session.OutcomeOf(err) == session.OutcomeNotDone && errors.Is(err, zk.ErrNoAuth):
		p.refused = true
		p.impair(fmt.Errorf("no permission to take over from a silent candidate (WRITE on heartbeats, DELETE on the path), whose session has to expire first: %w", err))
	}
	return nil
}
