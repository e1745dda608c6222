package main

import (
	"context"
	"fmt"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// The register of a lock is a znode that its holders read and write. What they tell of it shows
// whether a write was lost: package internal/updates judges that.

// beatsBetween is how many beats pass between the first read of a register and the second, or the
// write: the lock may be lost meanwhile.
const beatsBetween = 5

// use lets goroutines read and write the register of each part of h until h is over, if -write asks
// for that. run waits for them. Only ctx ends what has begun: when h is over, Multi alone keeps it
// from writing.
func (p *program) use(ctx context.Context, h holding, reads bool) {
	if p.write == "" {
		return
	}
	s, err := p.client.Session(h.Context())
	if err != nil {
		return // h is over
	}
	for _, one := range partsOf(h) {
		p.using.Go(func() {
			err := p.useOne(ctx, s, one, h, reads)
			if err != nil && ctx.Err() == nil && one.Valid() {
				p.out.Fail(err)
			}
		})
	}
}

func (p *program) useOne(
	ctx context.Context, s *session.Session, one part, h holding, reads bool,
) error {
	at := p.write + p.Path
	if _, ok := h.(*lock.Set); ok { // then p.Path has the paths of all
		at = p.write + path.Dir(one.Node())
	}
	// If s is not the session of the holder, a read may be old. Then nothing is read or written.
	stat, there, err := s.Exists(ctx, one.Node())
	if err != nil || !there || stat.EphemeralOwner != s.ID() {
		return err
	}
	if err := s.EnsurePath(ctx, at, nil); err != nil {
		return err
	}
	for one.Valid() {
		began := lines.Now()
		found, _, err := s.Get(ctx, at)
		if err != nil {
			return err
		}
		if err := example.Sleep(ctx, beatsBetween*p.beat); err != nil {
			return nil // it was told to end
		}
		fields := append(named(one, h), "began", began, "found", string(found))
		if reads {
			left, _, err := s.Get(ctx, at)
			if err != nil {
				return err
			}
			p.out.WriteIf(one.Valid, "read", append(fields, "left", string(left))...)
			continue
		}
		if again, err := p.writeOne(ctx, at, one, fields); !again || err != nil {
			return err
		}
	}
	return nil
}

// writeOne writes a value that nobody else writes into the register. It tells that before, too: a
// process that is killed does not tell the outcome. If the outcome is unknown, there must be no
// further write: the servers may carry out the first one later than that, as long as h is held.
func (p *program) writeOne(
	ctx context.Context, at string, one part, fields []any,
) (again bool, _ error) {
	value := fmt.Sprintf("%s-%d", p.id, lines.Now())
	fields = append(fields, "left", value)
	p.out.Write("writing", fields...)
	_, err := one.Multi(ctx, &zk.SetDataRequest{Path: at, Data: []byte(value), Version: -1})
	outcome := session.OutcomeOf(err)
	p.out.Write("wrote", append(fields, "outcome", outcomes[outcome])...)
	if !session.Permanent(err) {
		err = nil // it may succeed the next time, if h is not over
	}
	return outcome != session.OutcomeUnknown, err
}

var outcomes = map[session.Outcome]string{
	session.OutcomeDone: "ok", session.OutcomeNotDone: "refused", session.OutcomeUnknown: "unknown",
}
