package semaphore

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
	"github.com/zkrecipe/zkrecipe/session"
)

// Resize changes how many permits there are, for all who use the path. It does not touch permits
// that are held. If there are more permits than before, waiters get them in order. After a
// reduction nobody gets a permit until fewer than the new size are held. An Acquire that was about
// to succeed may still do so within the length of a lease. If it was cut off, or paused, at
// that time, it may do so when it reaches them again: it counts only the permits that came before
// its own.
//
// For a moment Resize counts as a permit. If its process is killed then, others take over from it
// as from a holder that has crashed. If ctx ends then, others may have to wait for a lease. Resize
// needs the permissions of an Acquire.
//
// A Resize is never carried out twice in one path, even if an answer is lost. If somebody deletes
// the path meanwhile, it is carried out in the one that is made then. The error says if the outcome
// is unknown, because the session was lost or ctx has ended with the answer outstanding, or because
// others have changed the size since ([session.OutcomeOf]). Then this Resize may still be carried
// out until its own znode is deleted. That may be a moment after a later Resize has returned
// because the size was right already.
func (s *Semaphore) Resize(ctx context.Context, size int) error {
	if size < 1 || size > s.cfg.most() {
		return fmt.Errorf("semaphore: Resize was given %d; want 1 to %d", size, s.cfg.most())
	}
	at, err := s.client.Session(ctx)
	if err != nil {
		return err
	}
	pause := retry.New(s.clock, firstLeave, longestLeave)
	for {
		lost, err := s.tryResize(ctx, at, size)
		switch {
		case err == nil:
			s.mu.Lock()
			s.size, s.agreed = size, true
			s.mu.Unlock()
			s.log.Info("resized", "size", size)
			return nil
		case lost != nil:
			return &session.Error{Op: "resize", Path: s.leases, Outcome: session.OutcomeUnknown, Err: fmt.Errorf("%w (%w)", err, lost)}
		case (errors.Is(err, zk.ErrNoNode) || err == line.ErrGone) && at.Err() == nil: // somebody has deleted the path meanwhile
			if err = pause.Wait(ctx); err == nil {
				continue
			}
		}
		return &session.Error{Op: "resize", Path: s.leases, Outcome: session.OutcomeNotDone, Err: err}
	}
}

// tryResize tries with one znode. If the outcome is unknown, lost is the error of the attempt whose
// answer was lost.
func (s *Semaphore) tryResize(ctx context.Context, at *session.Session, size int) (lost, err error) {
	// A server that lags may show a size that another has changed since.
	if _, err := at.QuorumSync(ctx, s.leases); err != nil {
		return nil, err
	}
	r, err := s.stored(ctx, at)
	if err != nil || r.size == size {
		return nil, err
	}
	return s.resize(ctx, at, size)
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

// resize writes another size. It first creates a znode among the permits. The multi that writes the
// size also deletes this znode. So it fails if the path was deleted and made again since the record
// was read, with other numbers and other holders of slots. The version of the record would not show
// that. Until the multi, others count the znode as a permit. It is a place: if this process is
// killed, they take over from it as from a holder.
func (s *Semaphore) resize(ctx context.Context, at *session.Session, size int) (lost, err error) {
	own, err := at.CreatePlace(ctx, s.leases, string(line.Permit), ident.Encode(s.cfg.ID, nil), s.cfg.ACL)
	if err != nil {
		return nil, err
	}
	p := s.keep(at, []string{own})
	var lostIn int64 // the czxid of the path in which the attempt was lost
	pause := retry.New(s.clock, firstLeave, longestLeave)
	for {
		path, err := p.writeSize(ctx, size, lostIn)
		switch {
		case err == nil:
			p.Drop()
			return nil, nil
		case err == line.ErrGone: // no attempt can be carried out any more
			p.Drop()
			return nil, err
		case err == errOver:
			p.Drop()
			return lost, err
		case errors.Is(err, zk.ErrBadVersion):
		case path != 0 && session.OutcomeOf(err) == session.OutcomeUnknown:
			lost, lostIn = err, path
		default:
			if ctx.Err() != nil || p.Leave(ctx) != nil {
				p.Abandon()
			}
			return lost, err
		}
		if err = pause.Wait(ctx); err == nil {
			err = at.Err()
		}
		if err != nil {
			p.Abandon()
			return lost, err
		}
	}
}

// errOver: an attempt was lost, the own znode is gone, and the size is another. Either the attempt
// was carried out and others have changed the size since, or others have deleted the own znode.
var errOver = errors.New("semaphore: the size is another, and nobody can tell whether it was changed before")

// writeSize writes the size and deletes the own znode, which was never a permit, so it is over. It
// returns the czxid of the path in which it has tried that, or 0. lostIn is that of an attempt that
// was lost, or 0. If the own znode is gone, the error is nil if the size is the wanted one after a
// lost attempt, errOver if it is another, and line.ErrGone if no attempt was lost in this path.
func (p *place) writeSize(ctx context.Context, size int, lostIn int64) (path int64, err error) {
	data, stat, err := p.read(ctx, false)
	if err != nil {
		return 0, err
	}
	r, err := parseRecord(data, stat)
	if err != nil {
		return 0, &DataError{p.sem.leases, err}
	}
	before := r.size
	r.size = size
	results, err := p.s.Multi(ctx,
		&zk.SetDataRequest{Path: p.sem.leases, Data: []byte(p.ended(r).String()), Version: stat.Version},
		&zk.DeleteRequest{Path: p.Path(), Version: -1})
	if errors.Is(err, zk.ErrNoNode) && failed(results) == 1 {
		switch {
		case stat.Czxid != lostIn:
			err = line.ErrGone
		case before == size:
			err = nil
		default:
			err = errOver
		}
	}
	return stat.Czxid, err
}
