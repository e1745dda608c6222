package line

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session"
)

// ErrNumbers: the line has run out of numbers, so that a reader's place would not be where the
// writer's was.
var ErrNumbers = errors.New("the numbers of the line have run out")

// Downgrade makes a writer that has led a reader with the same number, in one multi: nobody gets
// between, and those who wait for the writer find the reader. The holder must have stopped writing
// before. It holds nothing until Step has returned a lease. On an error the caller leaves. The
// place is then what it was, or ctx or the session has ended, or the place is being deleted because
// the answer was lost.
func (p *Place) Downgrade(ctx context.Context, reader Style) error {
	if p.number() == noNumber {
		return ErrNumbers
	}
	// The name is as unique as it was: nobody else has its GUID.
	number := p.path[strings.LastIndex(p.path, string(p.cfg.Style))+len(p.cfg.Style):]
	path := strings.TrimSuffix(p.path, string(p.cfg.Style)+number) + string(reader) + number
	used, err := p.rename(ctx, path)
	if session.OutcomeOf(err) == session.OutcomeUnknown {
		if err = p.downgraded(ctx, path, err); err != nil {
			// The multi may still be carried out, and it fails once the writer is gone. So the
			// writer is deleted first, then the reader, if it is there.
			p.s.DeleteInBackground(p.path, func() { p.s.DeleteInBackground(path, nil) }, p.announcement()...)
		}
	}
	if err != nil {
		return goneIfNoNode(err)
	}
	p.own.Stop()
	p.hold.Release()
	p.path, p.cfg.Style, p.shared, p.led, p.revoked = path, reader, true, false, false
	p.stat = zk.Stat{}
	p.own = p.s.Watch(path, p.wake)
	if used != noNumber {
		p.unused(ctx, used)
	}
	if err := p.checkOwn(ctx); err != nil {
		return err
	}
	p.hold = p.s.Reserve(p.own, p.wake)
	p.attend()
	return nil
}

// rename makes the znode at path and deletes the own one, in one multi. The create uses up a
// number, although the name is not sequential: rename returns which. To learn it, the same multi
// writes the record as it is. A server counts the creates of children. The answer to that write has
// twice this count, less the children that are there. If the record cannot be written, or the
// answer is lost, the number is not known: noNumber.
func (p *Place) rename(ctx context.Context, path string) (used int64, err error) {
	ops := []any{
		&zk.CreateRequest{Path: path, Data: p.cfg.Data, Acl: p.cfg.ACL, Flags: zk.FlagEphemeral},
		&zk.DeleteRequest{Path: p.path, Version: -1},
	}
	for attempt := 0; p.ours && attempt < holderAttempts; attempt++ {
		results, err := p.send(ctx, append(ops, &zk.SetDataRequest{Path: p.dir, Data: []byte(p.record.String()), Version: p.version})...)
		switch refused := len(results) > len(ops) && results[len(ops)].Error != nil; {
		case err == nil && results[len(ops)].Stat != nil:
			stat := results[len(ops)].Stat
			p.version = stat.Version
			used = (int64(stat.Cversion)+int64(stat.NumChildren))/2 - 1
			if used <= p.number() || used >= math.MaxInt32/2 {
				used = noNumber // the field has no room for such counts
			}
			return used, nil
		case err == nil || !refused:
			return noNumber, err
		case !errors.Is(err, zk.ErrBadVersion):
			attempt = holderAttempts
		default: // others write it at the same time
			if err := p.refresh(ctx); err != nil {
				return noNumber, err
			}
		}
	}
	_, err = p.send(ctx, ops...)
	return noNumber, err
}

// send carries out a multi. It tries again as long as there is no connection to send it on.
func (p *Place) send(ctx context.Context, ops ...any) (results []zk.MultiResponse, err error) {
	pause := retry.New(p.cfg.Clock, firstLeave, longestLeave)
	for {
		results, err = p.s.Multi(ctx, ops...)
		unsent := errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved)
		if !unsent || p.s.Err() != nil || pause.Wait(ctx) != nil {
			return results, err
		}
	}
}

// unused writes into the record that nobody has this number. Otherwise the next contender takes it
// for a holder that has vanished.
func (p *Place) unused(ctx context.Context, n int64) {
	for range holderAttempts {
		r := p.record.leave(n)
		// With a check of the own znode: else the path may have been made again, with other
		// numbers.
		results, err := p.s.Multi(ctx,
			&zk.CheckVersionRequest{Path: p.path, Version: -1},
			&zk.SetDataRequest{Path: p.dir, Data: []byte(r.String()), Version: p.version})
		if err == nil && results[1].Stat != nil {
			p.record, p.version = r, results[1].Stat.Version
		}
		if !errors.Is(err, zk.ErrBadVersion) || p.refresh(ctx) != nil || !p.ours {
			return
		}
	}
}

// downgraded returns nil if the reader is there after a multi whose answer was lost. If it is not
// there, the multi may still be carried out. Then downgraded returns the error lost.
func (p *Place) downgraded(ctx context.Context, path string, lost error) error {
	if _, err := p.s.QuorumSync(ctx, path); err != nil {
		return lost
	}
	stat, ok, err := p.s.Exists(ctx, path)
	if err != nil || !ok || stat.EphemeralOwner != p.s.ID() {
		return lost
	}
	return nil
}
