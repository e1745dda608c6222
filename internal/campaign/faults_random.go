//go:build linux

package campaign

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// step is something that is done at a time of a plan.
type step struct {
	at time.Duration
	do func(context.Context) error
}

// atRandom carries out a plan: some faults that begin at random and last for random times, so that
// they overlap. Errors of single steps are what comes of faults on faults (a server that is down
// cannot be frozen).
func atRandom(hazards []hazard) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error { return r.random(ctx, hazards) }
}

func (r *Round) random(ctx context.Context, hazards []hazard) error {
	var plan []step
	scale := min(r.T, 4*r.lease) // sessions may live on for many leases
	length := 10 * scale
	for range 4 + r.rng.IntN(9) {
		at, what := time.Duration(r.rng.Int64N(int64(length))), pick(r, hazards)
		lasts := time.Duration((0.05 + 2.45*r.rng.Float64()) * float64(scale))
		if r.rng.IntN(3) == 0 { // near the length of a lease
			lasts = r.leases(0.3, 1.4)
		}
		var undo func(context.Context) error
		plan = append(plan, step{at, func(ctx context.Context) (err error) {
			undo, err = what(ctx, r)
			return err
		}}, step{at + lasts, func(ctx context.Context) error {
			if undo == nil {
				return nil
			}
			return undo(ctx)
		}})
	}
	slices.SortStableFunc(plan, func(a, b step) int { return int(a.at - b.at) })
	begin := time.Now()
	for _, s := range plan {
		if err := r.last(ctx, s.at-time.Since(begin)); err != nil {
			return err
		}
		if err := s.do(ctx); err != nil {
			r.fault("that was not possible: %v", err)
		}
	}
	return ctx.Err()
}

// hazard breaks something and returns how to mend it.
type hazard func(context.Context, *Round) (undo func(context.Context) error, err error)

var hazards = []hazard{
	freezeServer, freezeServer, killServer, cutServer, cutServer, dropClients,
	cutClient, cutClient, losePackets, pauseOne, pauseOne, killOne, resignOne, expelOne, overwriteRecord,
}

func freezeServer(_ context.Context, r *Round) (func(context.Context) error, error) {
	s := pick(r, r.rig.Servers())
	r.fault("server %d frozen", s.ID())
	return func(context.Context) error { r.fault("server %d thawed", s.ID()); return s.Thaw() }, s.Freeze()
}

func killServer(_ context.Context, r *Round) (func(context.Context) error, error) {
	s := pick(r, r.rig.Servers())
	r.fault("server %d killed", s.ID())
	return func(context.Context) error { r.fault("server %d started", s.ID()); return s.Launch() }, s.Kill()
}

func cutServer(ctx context.Context, r *Round) (func(context.Context) error, error) {
	s, dir := pick(r, r.rig.Servers()), pick(r, []Direction{In, Out, Both})
	from := r.rig.others(s)[r.rng.IntN(2):]
	r.fault("server %d: %v from %s dropped", s.ID(), dir, addrs(from...))
	return r.mender(fmt.Sprint("server ", s.ID()), r.rig.hosts[s.ID()-1]), r.rig.cutQuorum(ctx, s, dir, from...)
}

func dropClients(ctx context.Context, r *Round) (func(context.Context) error, error) {
	s := pick(r, r.rig.Servers())
	r.fault("server %d drops its clients", s.ID())
	return r.mender(fmt.Sprint("server ", s.ID()), r.rig.hosts[s.ID()-1]), r.rig.resetClients(ctx, s)
}

// mender takes back all rules of a host.
func (r *Round) mender(name string, host *namespace) func(context.Context) error {
	return func(ctx context.Context) error { r.fault("%s: links mended", name); return host.mend(ctx) }
}

// someone is often the leader.
func (r *Round) someone() *candidate {
	if l := r.leader(); l != nil && r.rng.IntN(2) == 0 {
		return l
	}
	return pick(r, r.candidates)
}

func cutClient(ctx context.Context, r *Round) (func(context.Context) error, error) {
	c, dir := r.someone(), pick(r, []Direction{In, Out, Both})
	r.fault("%s: %v traffic dropped", c.id, dir)
	return r.mender(c.id, c.home), c.home.rule(ctx, dir, clientSide, "", "-j", "DROP")
}

func losePackets(ctx context.Context, r *Round) (func(context.Context) error, error) {
	c, share := r.someone(), fmt.Sprintf("%.2f", 0.1+0.4*r.rng.Float64())
	r.fault("%s: %s of the packets lost", c.id, share)
	return r.mender(c.id, c.home), c.home.rule(ctx, Both, clientSide, "", "-m", "statistic", "--mode", "random",
		"--probability", share, "-j", "DROP")
}

func pauseOne(_ context.Context, r *Round) (func(context.Context) error, error) {
	c := r.someone()
	if c.killed || c.paused {
		return nil, nil
	}
	return func(context.Context) error {
		if c.paused { // it may have been killed meanwhile
			r.resume(c)
		}
		return nil
	}, r.pause(c)
}

func killOne(_ context.Context, r *Round) (func(context.Context) error, error) {
	c := r.someone()
	if c.killed {
		return nil, nil
	}
	r.kill(c)
	return func(context.Context) error { return r.launch(c) }, nil
}

func resignOne(_ context.Context, r *Round) (func(context.Context) error, error) {
	if l := r.leader(); l != nil {
		r.resign(l)
	}
	return nil, nil
}

func expelOne(ctx context.Context, r *Round) (func(context.Context) error, error) {
	c := r.someone()
	node := r.of(c.id).node
	if node == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.T/2)
	defer cancel()
	r.fault("the znode of %s deleted", c.id)
	return nil, r.expel(ctx, node)
}

// overwriteRecord writes other data in place of the line's record. Who knows no record waits for
// the default lease, so nobody leads too early.
func overwriteRecord(ctx context.Context, r *Round) (func(context.Context) error, error) {
	if r.lease > session.DefaultLease {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.T/2)
	defer cancel()
	s, err := r.rig.admin.Session(ctx)
	if err != nil {
		return nil, err
	}
	data := pick(r, []string{"", "somebody else's", "zkrecipe line 1\nlease"})
	r.fault("the line's record overwritten with %q", data)
	_, err = s.Set(ctx, r.path, []byte(data), -1)
	return nil, err
}
