package semaphore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// Resize changes how many permits there are, for all who use the path; permits that are held are
// not touched. When there are more, those who wait get them in order. After a reduction nobody
// gets a permit until fewer than the new size are held. An Acquire that was about to succeed may
// still do so within the length of a lease.
//
// For a moment Resize counts as a permit. If its process is killed then, others take over from it as from a holder
// that has crashed. If ctx ends then, others may also wait for a lease. It takes the permissions of an Acquire.
//
// A Resize is carried out once, also if an answer is lost. If the outcome is unknown, because the session was lost or
// ctx has ended with the answer outstanding, the error says so ([session.OutcomeOf]).
func (s *Semaphore) Resize(ctx context.Context, size int) error {
	if size < 1 || size > s.cfg.most() {
		return fmt.Errorf("semaphore: Resize was given %d; want 1 to %d", size, s.cfg.most())
	}
	at, err := s.client.Session(ctx)
	if err != nil {
		return err
	}
	for {
		// A server that lags may show a size that another has changed since.
		if _, err := at.QuorumSync(ctx, s.leases); err != nil {
			return err
		}
		r, err := s.stored(ctx, at)
		if err == nil && r.size != size {
			err = s.resize(ctx, at, size)
		}
		switch {
		case err == nil:
			s.mu.Lock()
			s.size, s.agreed = size, true
			s.mu.Unlock()
			s.log.Info("resized", "size", size)
			return nil
		case !errors.Is(err, zk.ErrNoNode) && err != line.ErrGone || ctx.Err() != nil || at.Err() != nil: // else somebody has deleted the path meanwhile
			return err
		}
	}
}

// stored returns what the path holds. A path that is missing is made.
func (s *Semaphore) stored(ctx context.Context, at *session.Session) (record, error) {
	data, stat, err := at.Get(ctx, s.leases)
	if errors.Is(err, zk.ErrNoNode) {
		if err = s.create(ctx, at); err == nil {
			data, stat, err = at.Get(ctx, s.leases)
		}
	}
	if err != nil {
		return record{}, err
	}
	r, err := parseRecord(data, stat)
	if err != nil {
		return record{}, &DataError{s.leases, err}
	}
	return r, nil
}

// resize writes another size. It first creates a znode among the permits. The multi that writes the size
// also deletes this znode. So it fails if the path was deleted and made again since the record was read,
// with other numbers and other holders of slots. The version of the record would not show that. Until the
// multi, others count the znode as a permit. It is a place: if this process is killed, they take over from it
// as from a holder.
func (s *Semaphore) resize(ctx context.Context, at *session.Session, size int) error {
	own, err := at.CreatePlace(ctx, s.leases, string(line.Permit), ident.Encode(s.cfg.ID, nil), s.cfg.ACL)
	if err != nil {
		return err
	}
	p := s.keep(at, []string{own})
	var lost error // why an attempt has an unknown outcome
	var in int64   // the czxid of the path in which it was made
	pause := retry.New(s.clock, firstLeave, longestLeave)
	for {
		path, err := p.writeSize(ctx, size, in)
		switch {
		case err == nil:
			p.Drop()
			return nil
		case err == line.ErrGone: // so no attempt can be carried out any more
			lost = nil
		case errors.Is(err, zk.ErrBadVersion):
			if pause.Wait(ctx) == nil {
				continue
			}
		case path != 0 && session.OutcomeOf(err) == session.OutcomeUnknown:
			lost, in = err, path
			if pause.Wait(ctx) == nil && at.Err() == nil {
				continue
			}
		}
		if ctx.Err() != nil || p.Leave(ctx) != nil {
			p.Abandon()
		}
		return cmp.Or(lost, err)
	}
}

// writeSize writes the size and deletes the own znode, which was never a permit, so it is over. It returns the czxid
// of the path in which it has tried that, or 0. If an attempt in the path with the czxid in was lost, and the record
// tells that the own znode is over, that attempt was carried out. The error is line.ErrGone if the own znode is gone
// otherwise.
func (p *place) writeSize(ctx context.Context, size int, in int64) (path int64, err error) {
	data, stat, err := p.read(ctx, false)
	if err != nil {
		return 0, err
	}
	r, err := parseRecord(data, stat)
	if err != nil {
		return 0, &DataError{p.sem.leases, err}
	}
	if own, ok := line.Parse(p.Path()[len(p.sem.leases)+1:]); ok && stat.Czxid == in && r.Over(line.NumberOf(own)) {
		return in, nil
	}
	r.size = size
	results, err := p.s.Multi(ctx,
		&zk.SetDataRequest{Path: p.sem.leases, Data: []byte(p.ended(r).String()), Version: stat.Version},
		&zk.DeleteRequest{Path: p.Path(), Version: -1})
	if errors.Is(err, zk.ErrNoNode) && failed(results) == 1 {
		err = line.ErrGone
	}
	return stat.Czxid, err
}
