//go:build linux

package campaign

import (
	"context"
	"fmt"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

func paused(ctx context.Context, r *Round) error {
	leader := r.leader()
	token := r.of(leader.id).token
	if err := r.pause(leader); err != nil {
		return err
	}
	if err := r.last(ctx, 2*r.T); err != nil {
		return err
	}
	r.resume(leader)
	return r.mustSucceed(ctx, token)
}

func killed(ctx context.Context, r *Round) error {
	leader := r.leader()
	token := r.of(leader.id).token
	victims := []*candidate{leader}
	if r.rng.IntN(3) == 0 {
		victims = append(victims, r.waiting()[0])
	}
	for _, c := range victims {
		r.kill(c)
	}
	return r.mustSucceed(ctx, token)
}

func killedRestarted(ctx context.Context, r *Round) error {
	leader := r.leader()
	token := r.of(leader.id).token
	r.kill(leader)
	if err := r.last(ctx, r.between(0, 0.5)); err != nil {
		return err
	}
	if err := r.launch(leader); err != nil {
		return err
	}
	return r.mustSucceed(ctx, token)
}

const crowdSize = 200

func crowd(ctx context.Context, r *Round) error {
	zk := r.rig.ConnectString()
	for i := range crowdSize {
		if _, err := r.startIn(r.rig.homes[i%homes], fmt.Sprintf("n%03d", i), zk); err != nil {
			return err
		}
	}
	return r.settled(ctx)
}

// crowdKilled kills one in the middle, then the leader, and counts the watches that their ends fire.
func crowdKilled(ctx context.Context, r *Round) error {
	middle := r.waiting()[crowdSize/2]
	if r.of(middle.id).heir {
		return fmt.Errorf("%s in the middle is heir", middle.id)
	}
	if err := r.departs(ctx, middle); err != nil {
		return err
	}
	leader := r.leader()
	token := r.of(leader.id).token
	if err := r.departs(ctx, leader); err != nil {
		return err
	}
	return r.mustSucceed(ctx, token)
}

// departs kills a candidate and counts the watches that its znode's deletion fires, by the servers' own count.
// The watches of the dead go with its connection, long before its session expires.
func (r *Round) departs(ctx context.Context, c *candidate) error {
	node := r.of(c.id).node
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
	r.mark(history.Line{Event: "departed", Of: c.id, Position: after - before})
	r.notes.count("one wake-up", after-before == 1)
	return nil
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
