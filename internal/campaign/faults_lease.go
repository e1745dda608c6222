//go:build linux

package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

// trials is the number of sessions in a round of leaseTrials.
const trials = 100

// trial is one session with a znode, and the latest end of a lease that it has claimed.
type trial struct {
	client   *session.Client
	mu       sync.Mutex // guards what follows
	session  *session.Session
	node     string
	hold     *session.Hold
	deadline int64
}

// leaseTrials looks for a znode that is deleted before the deadline its session claims. What decides is how the
// instants at which the ZooKeeper leader pings its followers, and learns which sessions are alive, lie to its expiry
// buckets; a stop of the leader shifts them. A third of the sessions renews steadily, a third begins to renew shortly
// before the stop of the follower, a third is opened then: the two rules, and the first leases by each.
func leaseTrials(ctx context.Context, r *Round) error {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return err
	}
	zkLeader, err := r.rig.Leader(ctx)
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
	stop := r.watchPath(ctx)
	defer stop()
	all := make([]*trial, trials)
	defer closeTrials(all)
	for i := range all {
		all[i] = &trial{}
		if all[i].client, err = session.Open(follower.Addr(), session.Config{Timeout: r.T}); err != nil {
			return err
		}
	}
	steady, cold, fresh := all[:trials/3], all[trials/3:trials*2/3], all[trials*2/3:]
	if err := eachTrial(steady, func(t *trial) error { return t.begin(ctx, r.path, true) }); err != nil {
		return err
	}
	if err := eachTrial(cold, func(t *trial) error { return t.begin(ctx, r.path, false) }); err != nil {
		return err
	}
	if err := r.shift(ctx, zkLeader, steady); err != nil {
		return err
	}
	if err := r.lateComers(ctx, cold, fresh); err != nil {
		return err
	}
	if err := r.stopAfterReply(ctx, follower, pick(r, steady)); err != nil {
		return err
	}
	if err := r.sample(ctx, all); err != nil {
		return err
	}
	if err := r.judgeTrials(ctx, all); err != nil {
		return err
	}
	if err := follower.Thaw(); err != nil {
		return err
	}
	closeTrials(all)
	if _, err := r.childless(ctx, 3*r.T); err != nil {
		return err
	}
	return admin.Remove(ctx, r.path)
}

// eachTrial does something for each session at once. Some may fail: the machine is busy.
func eachTrial(all []*trial, f func(*trial) error) error {
	errs := make(chan error, len(all))
	for _, t := range all {
		go func() { errs <- f(t) }()
	}
	var failed []error
	for range all {
		if err := <-errs; err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > len(all)/2 {
		return fmt.Errorf("%w: %w", errAgain, failed[0])
	}
	return nil
}

// begin creates a znode and, if asked to, begins to renew.
func (t *trial) begin(ctx context.Context, dir string, hold bool) error {
	s, err := t.client.Session(ctx)
	if err != nil {
		return err
	}
	node, err := s.CreateProtected(ctx, dir, "trial-", nil, nil)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.session, t.node = s, node
	if hold {
		t.hold = s.Hold(node, make(chan struct{}, 1))
	}
	return nil
}

// keep begins to renew.
func (t *trial) keep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != nil {
		t.hold = t.session.Hold(t.node, make(chan struct{}, 1))
	}
}

// shift stops the ZooKeeper leader for a while and waits until leases run again.
func (r *Round) shift(ctx context.Context, zkLeader *ensemble.Server, steady []*trial) error {
	if err := zkLeader.Freeze(); err != nil {
		return err
	}
	r.fault("server %d, which leads the servers, frozen", zkLeader.ID())
	if err := r.last(ctx, r.between(0.25, 0.5)); err != nil {
		return err
	}
	if err := zkLeader.Thaw(); err != nil {
		return err
	}
	// Some sessions may not have survived, when the machine is busy, and get none any more.
	for end := time.Now().Add(r.T); time.Now().Before(end) && leases(steady) < len(steady)*3/4; {
		if err := r.last(ctx, tick/50); err != nil {
			return err
		}
	}
	return nil
}

func leases(all []*trial) (n int) {
	for _, t := range all {
		n += number(t.session != nil && t.session.Lease() != nil)
	}
	return n
}

// lateComers lets some begin to renew, and others open their sessions, within the next 0.6 T. The first renewals are
// the ones to look at: the ZooKeeper leader may not have heard of the session for long.
func (r *Round) lateComers(ctx context.Context, cold, fresh []*trial) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := func(f func(*trial), t *trial) {
		d := r.between(0, 0.6)
		wg.Go(func() {
			if r.last(ctx, d) == nil {
				f(t)
			}
		})
	}
	for _, t := range cold {
		in((*trial).keep, t)
	}
	for _, t := range fresh {
		in(func(t *trial) { _ = t.begin(ctx, r.path, true) }, t) // who comes too late is no trial
	}
	return r.last(ctx, r.between(0.5, 0.7))
}

// stopAfterReply stops the follower as soon as a renewal of t has been answered.
func (r *Round) stopAfterReply(ctx context.Context, follower *ensemble.Server, t *trial) error {
	before, deadline := t.claim(), time.Now().Add(r.T/2)
	for t.claim() <= before && time.Now().Before(deadline) {
		if err := r.last(ctx, time.Millisecond/2); err != nil {
			return err
		}
	}
	r.fault("server %d frozen", follower.ID())
	return follower.Freeze()
}

// claim returns the latest end of a lease that the session has claimed.
func (t *trial) claim() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hold == nil {
		return 0
	}
	if l := t.session.Lease(); l != nil {
		// Read in this order the sum is never later than the lease's own deadline.
		now := history.Now()
		if d := l.Remaining(); d > 0 {
			t.deadline = max(t.deadline, now+int64(d))
		}
	}
	return t.deadline
}

// sample asks all sessions for their deadlines, until nothing that the follower has said can extend one.
func (r *Round) sample(ctx context.Context, all []*trial) error {
	for end := time.Now().Add(r.T / 4); time.Now().Before(end); {
		for _, t := range all {
			t.claim()
		}
		if err := r.last(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// judgeTrials waits for the end of every znode whose session had a lease.
func (r *Round) judgeTrials(ctx context.Context, all []*trial) error {
	begin := history.Now()
	for _, i := range rand.Perm(len(all)) {
		t := all[i]
		deadline := t.claim()
		if deadline < begin-int64(r.T) || deadline == 0 {
			continue // its lease ended before the stop
		}
		gone, err := r.goneAt(ctx, t.node)
		if err != nil {
			return err
		}
		r.mark(history.Line{T: gone, Event: "trial", Node: path.Base(t.node), Deadline: deadline})
	}
	return nil
}

func closeTrials(all []*trial) {
	var wg sync.WaitGroup
	for _, t := range all {
		if t != nil && t.client != nil {
			wg.Go(func() { _ = t.client.Close() })
		}
	}
	wg.Wait()
}
