//go:build linux

package campaign

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

// trials is the number of places in a round of leaseTrials.
const trials = 30

// leaseTrials looks for a place that another can hold before its holder's lease is over, with
// sessions alone: no line, no record, no election. All holders are connected with one follower, and
// all who wait for their places with the other servers. The follower is cut from the quorum, or
// stopped, and comes back when those who wait are about to take over, so that late beats and
// takeovers race. Meanwhile an administrator deletes some of the holders' znodes. At last the
// follower stops until every place has changed hands.
func leaseTrials(ctx context.Context, r *Round) error {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return err
	}
	admin, err := r.rig.admin.Session(ctx)
	if err == nil {
		err = admin.EnsurePath(ctx, r.path, nil)
	}
	if err != nil {
		return err
	}
	all, stop, err := r.openTrials(ctx, follower)
	defer stop()
	if err != nil {
		return err
	}
	if err := r.disturb(ctx, follower, all); err != nil {
		return err
	}
	r.fault("server %d frozen", follower.ID())
	if err := follower.Freeze(); err != nil {
		return err
	}
	for _, t := range all {
		select {
		case <-t.taken:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the place of %s: %w", t.place, context.Cause(ctx))
		}
	}
	if err := follower.Thaw(); err != nil {
		return err
	}
	if err := r.last(ctx, 2*r.lease); err != nil { // a holder must not hold anything when it is back
		return err
	}
	for _, t := range all {
		free, claimed := t.result()
		if free == 0 {
			continue // the session that waited has ended
		}
		r.mark(history.Line{T: free, Event: "trial", Node: path.Base(t.place), Deadline: claimed})
	}
	stop()
	if _, err := r.childless(ctx, r.path, 3*r.T); err != nil {
		return err
	}
	return admin.EnsureDeleted(ctx, r.path)
}

// openTrials opens all sessions and waits until the holders hold their places. Sessions end by
// themselves when the machine is busy, so that some of the trials may be missing.
func (r *Round) openTrials(ctx context.Context, follower *ensemble.Server) (all []*trial, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	var clients []*session.Client
	stop = sync.OnceFunc(func() {
		cancel()
		working.Wait()
		var closing sync.WaitGroup
		for _, c := range clients {
			closing.Go(func() { _ = c.Close() })
		}
		closing.Wait()
	})
	open := func(servers ...*ensemble.Server) (*session.Session, error) {
		c, err := session.Open(addrs(servers...), session.Config{Timeout: r.T, Lease: r.lease})
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
		return c.Session(ctx)
	}
	for range trials {
		t := &trial{lease: r.lease, taken: make(chan struct{})}
		if t.holder, err = open(follower); err == nil {
			t.waiter, err = open(r.rig.others(follower)...)
		}
		if err == nil {
			err = t.begin(ctx, r.path, &working)
		}
		if err != nil {
			return nil, stop, fmt.Errorf("%w: %w", errAgain, err)
		}
		all = append(all, t)
	}
	working.Go(func() { // what is claimed, whatever happens
		for r.last(ctx, time.Millisecond) == nil {
			for _, t := range all {
				t.claim()
			}
		}
	})
	for _, t := range all {
		for t.claim() == 0 && !t.over() {
			if err := r.last(ctx, time.Millisecond); err != nil {
				return nil, stop, err
			}
		}
	}
	return all, stop, nil
}

// disturb lets the follower give no answer for about as long as the sessions need to notice that.
// Meanwhile it deletes every third znode, so that the owners cannot hear of it.
func (r *Round) disturb(ctx context.Context, follower *ensemble.Server, all []*trial) error {
	admin, err := r.rig.admin.Session(ctx)
	if err != nil {
		return err
	}
	if err := r.last(ctx, r.leases(0, 1)); err != nil {
		return err
	}
	mend := func(ctx context.Context) error { return r.rig.hosts[follower.ID()-1].mend(ctx) }
	if r.rng.IntN(2) == 0 {
		r.fault("server %d frozen", follower.ID())
		mend = func(context.Context) error { return follower.Thaw() }
		err = follower.Freeze()
	} else {
		r.fault("server %d cut from the quorum", follower.ID())
		err = r.rig.cutQuorum(ctx, follower, Both)
	}
	if err != nil {
		return err
	}
	end := time.Now().Add(r.leases(0.8, 1.3))
	for i, t := range all {
		if i%3 != 0 {
			continue
		}
		if err := admin.EnsureDeleted(ctx, t.place); err != nil {
			return err
		}
	}
	if err := r.last(ctx, time.Until(end)); err != nil {
		return err
	}
	if err := mend(ctx); err != nil {
		return err
	}
	r.fault("server %d is back", follower.ID())
	return r.last(ctx, r.leases(0, 2))
}

// trial is a place, one session that holds it and one that waits for it.
type trial struct {
	lease          time.Duration
	holder, waiter *session.Session
	hold           *session.Hold
	place, own     string        // the holder's znode, and the other's
	taken          chan struct{} // closed when the one who waits can hold the place, or does not wait any longer

	mu      sync.Mutex // guards what follows
	claimed int64      // the latest end of a lease that the holder has claimed
	free    int64      // from when on another can hold the place; 0 if that has not been found out
}

// begin creates the znodes, and lets both sessions work.
func (t *trial) begin(ctx context.Context, dir string, working *sync.WaitGroup) (err error) {
	if t.place, err = t.holder.CreatePlace(ctx, dir, "trial-", nil, nil); err != nil {
		return err
	}
	if t.own, err = t.waiter.CreatePlace(ctx, dir, "trial-", nil, nil); err != nil {
		return err
	}
	if err := t.waiter.Sync(ctx, t.place); err != nil {
		return err
	}
	wake := make(chan struct{}, 1)
	own := t.holder.Watch(t.place, wake)
	t.hold = t.holder.Hold(own, wake)
	working.Go(func() { t.keep(ctx, own, wake) })
	working.Go(func() { t.wait(ctx) })
	return nil
}

// keep watches the holder's znode, on every connection again.
func (t *trial) keep(ctx context.Context, own *session.Watch, wake chan struct{}) {
	defer own.Stop()
	defer t.hold.Release()
	for {
		if !own.Armed() && !own.Deleted() {
			if _, _, err := own.Get(ctx); err != nil {
				return // the session is over, or the znode is gone
			}
		}
		select {
		case <-wake:
		case <-t.holder.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// wait waits for the end of the holder's lease: it takes over when the holder is silent, and waits
// for a lease when it hears that the znode is gone.
func (t *trial) wait(ctx context.Context) {
	defer close(t.taken)
	wake := make(chan struct{}, 1)
	ahead := t.waiter.Watch(t.place, wake)
	defer ahead.Stop()
	listener := t.waiter.Listen(t.holder.ID(), wake)
	defer listener.Stop()
	for ctx.Err() == nil {
		before := history.Now()
		_, _, err := ahead.Get(ctx)
		heard := listener.Heartbeat()
		switch {
		case errors.Is(err, zk.ErrNoNode) || ahead.Deleted():
			t.freeAt(before + int64(session.Outlast(t.lease)))
			return
		case heard.State == session.HeartbeatSilent:
			switch err := listener.TakeOver(ctx, heard, t.place, t.own); {
			case err == nil:
				t.freeAt(before)
				return
			case errors.Is(err, session.ErrOwnGone):
				return
			}
			continue
		}
		select {
		case <-wake:
		case <-t.waiter.Done():
			return
		case <-ctx.Done():
		}
	}
}

// freeAt notes from when on another can hold the place.
func (t *trial) freeAt(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = at
}

// claim returns the latest end of a lease that the holder has claimed.
func (t *trial) claim() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.hold.Lease(); l != nil {
		// Read in this order the sum is never later than the lease's own deadline.
		now := history.Now()
		if d := l.Remaining(); d > 0 {
			t.claimed = max(t.claimed, now+int64(d))
		}
	}
	return t.claimed
}

// over reports whether nothing can come of it any more. On a busy machine that may be before the
// holder has held anything.
func (t *trial) over() bool {
	select {
	case <-t.taken:
	case <-t.holder.Done():
	default:
		return false
	}
	return true
}

func (t *trial) result() (free, claimed int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.free, t.claimed
}
