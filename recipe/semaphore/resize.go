package semaphore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

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
// that has crashed. It takes the permissions of an Acquire.
//
// If the outcome is unknown, because the session was lost with the answer outstanding, the error
// says so ([session.OutcomeOf]); it does no harm to call Resize again.
func (s *Semaphore) Resize(ctx context.Context, size int) error {
	if size < 1 || size > s.cfg.most() {
		return fmt.Errorf("semaphore: Resize was given %d; want 1 to %d", size, s.cfg.most())
	}
	at, err := s.client.Session(ctx)
	if err != nil {
		return err
	}
	var lost error // of an attempt whose outcome is unknown
	for {
		// A server that lags may show a size that another has changed since.
		if _, err := at.QuorumSync(ctx, s.leases); err != nil {
			return cmp.Or(lost, err)
		}
		lost = nil
		r, err := s.stored(ctx, at)
		if err != nil {
			return err
		}
		if r.size != size {
			err = s.resize(ctx, at, size)
		}
		switch unknown := session.OutcomeOf(err) == session.OutcomeUnknown; {
		case err == nil:
			s.mu.Lock()
			s.size, s.agreed = size, true
			s.mu.Unlock()
			s.log.Info("resized", "size", size)
			return nil
		case !unknown && !errors.Is(err, zk.ErrNoNode), ctx.Err() != nil, at.Err() != nil:
			return err
		case unknown:
			lost = err
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
	for err = p.writeSize(ctx, size); errors.Is(err, zk.ErrBadVersion); {
		err = p.writeSize(ctx, size)
	}
	if err != nil {
		p.Abandon()
		return err
	}
	p.Drop()
	return nil
}

// writeSize writes the size and deletes the own znode, which was never a permit, so it is over.
func (p *place) writeSize(ctx context.Context, size int) error {
	data, stat, err := p.read(ctx, false)
	if err != nil {
		return err
	}
	r, err := parseRecord(data, stat)
	if err != nil {
		return &DataError{p.sem.leases, err}
	}
	r.size = size
	_, err = p.s.Multi(ctx,
		&zk.SetDataRequest{Path: p.sem.leases, Data: []byte(p.ended(r).String()), Version: stat.Version},
		&zk.DeleteRequest{Path: p.Path(), Version: -1})
	return err
}
