//go:build linux

package campaign

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// paused stops the leader's process. It comes back when another leads, in a session that was
// revoked, or when it has expired as well.
func paused(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	since := history.Now()
	if err := r.pause(l.leader); err != nil {
		return err
	}
	if err := r.mustSucceed(ctx, l.term.token, since); err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 {
		if err := r.last(ctx, 2*r.T); err != nil {
			return err
		}
	}
	r.resume(l.leader)
	return nil
}

func killed(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	return r.mustSucceed(ctx, l.term.token, r.kill(l.leader))
}

func killedBoth(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	since := r.kill(l.leader)
	r.kill(l.waiting[0])
	return r.mustSucceed(ctx, l.term.token, since)
}

func killedRestarted(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	since := r.kill(l.leader)
	if err := r.last(ctx, r.leases(0, 2)); err != nil {
		return err
	}
	if err := r.launch(l.leader); err != nil {
		return err
	}
	return r.mustSucceed(ctx, l.term.token, since)
}

// A crowd comes in groups: all at once it would be a test of how this machine starts 200 programs.
const crowdSize, groupSize = 200, 20

func crowd(ctx context.Context, r *Round) error {
	zk := r.rig.ConnectString()
	for i := range crowdSize {
		if _, err := r.startIn(r.rig.homes[i%homes], fmt.Sprintf("n%03d", i), zk); err != nil {
			return err
		}
		if (i+1)%groupSize == 0 {
			if err := r.settled(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// crowdKilled kills one in the middle, then the leader, and counts the watches that their ends
// fire.
func crowdKilled(ctx context.Context, r *Round) error {
	l, err := r.line(ctx)
	if err != nil {
		return err
	}
	if err := r.departs(ctx, l.waiting[crowdSize/2]); err != nil {
		return err
	}
	if l, err = r.line(ctx); err != nil {
		return err
	}
	since := history.Now()
	if err := r.departs(ctx, l.leader); err != nil {
		return err
	}
	return r.mustSucceed(ctx, l.term.token, since)
}

// departs kills a candidate and counts the watches that its znode's deletion fires, by the servers'
// own count. The watches of the dead go with its connection, long before its session expires. If
// another departs meanwhile, because the machine is busy, its watches would be counted, too (two:
// its successor's, and its own).
func (r *Round) departs(ctx context.Context, c *candidate) error {
	node := r.of(c.id).node
	there, err := r.children(ctx)
	if err != nil {
		return err
	}
	before, err := r.firedWatches(ctx)
	if err != nil {
		return err
	}
	r.kill(c)
	if _, err := r.goneAt(ctx, node); err != nil {
		return err
	}
	// Every server has applied the deletion once it has answered a sync.
	for _, eye := range r.rig.eyes {
		s, err := eye.Session(ctx)
		if err == nil {
			err = s.Sync(ctx, r.path)
		}
		if err != nil {
			return err
		}
	}
	after, err := r.firedWatches(ctx)
	if err != nil {
		return err
	}
	still, err := r.children(ctx)
	if err != nil {
		return err
	}
	departures := 0
	for _, name := range there {
		departures += number(!slices.Contains(still, name))
	}
	if departures != 1 {
		return fmt.Errorf("%w: %d have departed where one was to", errAgain, departures)
	}
	r.mark(history.Line{Event: "departed", Of: c.id, Position: after - before})
	r.notes.count("one wake-up", after-before == 1)
	return nil
}

// children lists the path as it is.
func (r *Round) children(ctx context.Context) ([]string, error) {
	s, err := r.rig.admin.Session(ctx)
	if err == nil {
		err = s.Sync(ctx, r.path)
	}
	if err != nil {
		return nil, err
	}
	names, _, err := s.Children(ctx, r.path)
	return names, err
}

// firedWatches sums, over the servers, how many watches the deletion of znodes has fired so far.
func (r *Round) firedWatches(ctx context.Context) (sum int, err error) {
	for _, s := range r.rig.Servers() {
		answer, err := s.Command(ctx, "mntr")
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(answer, "zk_sum_node_deleted_watch_count\t")
		var n float64
		if _, err := fmt.Sscan(rest, &n); !ok || err != nil {
			return 0, fmt.Errorf("server %d does not count fired watches: %v", s.ID(), err)
		}
		sum += int(n)
	}
	return sum, nil
}
