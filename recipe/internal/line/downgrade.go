package line

import (
	"context"
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// ErrNumbers: the line has run out of numbers, so that a reader's place would not be where the
// writer's was.
var ErrNumbers = errors.New("the numbers of the line have run out")

// Downgrade makes a writer that has led a reader with the same number, in one multi: nobody gets
// between, and those who wait for the writer find the reader. The holder must have stopped writing
// before. It holds nothing until Step has returned a lease. On an error the place is what it was,
// or ctx or the session has ended: the caller leaves.
func (p *Place) Downgrade(ctx context.Context, reader Style) error {
	if p.number() == noNumber {
		return ErrNumbers
	}
	// The name is as unique as it was: nobody else has its GUID.
	number := p.path[strings.LastIndex(p.path, string(p.cfg.Style))+len(p.cfg.Style):]
	path := strings.TrimSuffix(p.path, string(p.cfg.Style)+number) + string(reader) + number
	before := p.nextNumber(ctx)
	_, err := p.s.Multi(ctx,
		&zk.CreateRequest{Path: path, Data: p.cfg.Data, Acl: p.cfg.ACL, Flags: zk.FlagEphemeral},
		&zk.DeleteRequest{Path: p.path, Version: -1})
	if session.OutcomeOf(err) == session.OutcomeUnknown {
		if err = p.downgraded(ctx, path, err); err != nil {
			p.s.DeleteInBackground(path, nil) // it may be there, or not
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
	if err := p.checkOwn(ctx); err != nil {
		return err
	}
	p.hold = p.s.Reserve(p.own, p.wake)
	p.attend()
	if after := p.nextNumber(ctx); before > p.number() && after == before+1 {
		p.unused(ctx, before)
	}
	return nil
}

// nextNumber returns the number that the next sequential znode would get, or -1. A server counts
// the creates of children, and shows twice that number less the children that are there.
func (p *Place) nextNumber(ctx context.Context) int64 {
	stat, ok, err := p.s.Exists(ctx, p.dir)
	if err != nil || !ok || stat.Cversion < 0 {
		return -1
	}
	return (int64(stat.Cversion) + int64(stat.NumChildren)) / 2
}

// unused writes into the record that nobody has this number: the create of a name that is not
// sequential has used it up. Otherwise the next contender takes it for a holder that has vanished.
// If others write the record at the same time, it writes nothing.
func (p *Place) unused(ctx context.Context, n int64) {
	if p.refresh(ctx) != nil || !p.ours {
		return
	}
	r := p.record.leave(n)
	// With a check of the own znode: else the path may have been made again, with other numbers.
	results, err := p.s.Multi(ctx,
		&zk.CheckVersionRequest{Path: p.path, Version: -1},
		&zk.SetDataRequest{Path: p.dir, Data: []byte(r.String()), Version: p.version})
	if err == nil && results[1].Stat != nil {
		p.record, p.version = r, results[1].Stat.Version
	}
}

// downgraded finds out what a multi has done whose answer was lost.
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
