//go:build linux

package campaign

import (
	"context"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

// successorWithin is how long after the ensemble has deleted the old leader's znode, and after its
// lease if nobody has announced that, the next one may take to lead, on a machine that lets it run.
const successorWithin = 100 * time.Millisecond

// followersAlone lines up a leader that knows one server only, a follower, and others who know all
// but that.
func (r *Round) followersAlone(ctx context.Context) (*ensemble.Server, line, error) {
	follower, err := r.rig.Follower(ctx)
	if err != nil {
		return nil, line{}, err
	}
	l, err := r.lineUpAt(ctx, follower, r.rig.others(follower)...)
	return follower, l, err
}

// followerCutAlone is a fault for clients that trust pings and reads: such a client still leads
// while the majority elects another.
func followerCutAlone(ctx context.Context, r *Round) error {
	follower, l, err := r.followersAlone(ctx)
	if err != nil {
		return err
	}
	if err := r.last(ctx, r.leases(0, 1)); err != nil { // the cut comes at any time between two beats
		return err
	}
	since, err := r.cutOff(ctx, follower)
	if err != nil {
		return err
	}
	gone, err := r.goneAt(ctx, l.term.node)
	if err != nil {
		return err
	}
	elected, err := r.successor(ctx, l.term.token)
	if err != nil {
		return err
	}
	r.after = append(r.after, time.Duration(elected-since))
	late := time.Duration(elected - gone)
	r.notes.measure("led after deletion", late)
	if bound := session.Outlast(r.lease) + successorWithin + 2*r.stall.max(); late > bound {
		if r.attempt < 3 { // servers and candidates may stand still while this process does not
			return fmt.Errorf("%w: the successor led %v after the deletion", errAgain, late)
		}
		r.broken(history.Late, "the successor led %v after the deletion, the machine stood still for up to %v", late, r.stall.max())
	}
	// Ours has given up before. A client that has not given up learns it when the follower drops
	// its clients, because it has no leader.
	_, err = r.patiently(ctx, syncLimit*tick+r.T, func(ctx context.Context) error {
		return r.until(ctx, l.leader.id+" has given up", func(now map[string]*standing) bool {
			return !now[l.leader.id].leading || now[l.leader.id].token != l.term.token
		})
	})
	return err
}

// servedBy makes somebody lead whose server is a follower, or any server, and returns the line and
// that server.
func (r *Round) servedBy(ctx context.Context, followerOnly bool) (line, *ensemble.Server, error) {
	for range 20 {
		l, err := r.line(ctx)
		if err != nil {
			return l, nil, err
		}
		zkLeader, err := r.rig.Leader(ctx)
		if err != nil {
			return l, nil, err
		}
		s := r.rig.holder(ctx, l.term.session)
		if s != nil && !(followerOnly && s == zkLeader) {
			return l, s, nil
		}
		r.resign(l.leader)
		if _, err := r.successor(ctx, l.term.token); err != nil {
			return l, nil, err
		}
	}
	return line{}, nil, fmt.Errorf("%w: nobody at a follower leads", errAgain)
}

func followerCut(ctx context.Context, r *Round) error {
	l, s, err := r.servedBy(ctx, true)
	if err != nil {
		return err
	}
	return r.keepsLeading(l, func() error {
		if _, err := r.cutOff(ctx, s); err != nil {
			return err
		}
		return r.last(ctx, 2*r.T)
	})
}

// cutOff cuts a server from the others, not from its clients, and returns when.
func (r *Round) cutOff(ctx context.Context, s *ensemble.Server) (since int64, err error) {
	since = r.fault("server %d cut from the quorum", s.ID())
	return since, r.rig.cutQuorum(ctx, s, Both)
}

// keepsLeading has it noted whether a leader's term outlives a fault. That is known when all stand
// in line again.
func (r *Round) keepsLeading(l line, do func() error) error {
	r.kept = l.term.token
	return do()
}

func serversOneWay(ctx context.Context, r *Round) error {
	s, dir := pick(r, r.rig.Servers()), pick(r, []Direction{In, Out})
	from := r.rig.others(s)[r.rng.IntN(2):] // both, or one
	r.fault("server %d: %v from %s dropped", s.ID(), dir, addrs(from...))
	if err := r.rig.cutQuorum(ctx, s, dir, from...); err != nil {
		return err
	}
	return r.last(ctx, r.between(1.5, 3.5))
}

func zkLeaderIsolated(ctx context.Context, r *Round) error {
	zkLeader, err := r.rig.Leader(ctx)
	if err != nil {
		return err
	}
	r.fault("server %d, which leads the servers, cut from the quorum", zkLeader.ID())
	if err := r.rig.cutQuorum(ctx, zkLeader, Both); err != nil {
		return err
	}
	// The others may take syncLimit to notice; then somebody leads there.
	since := history.Now()
	_, err = r.patiently(ctx, syncLimit*tick+2*r.T, func(ctx context.Context) error {
		return r.until(ctx, "somebody leads again", func(now map[string]*standing) bool {
			for _, s := range now {
				if s.elected > since {
					return true
				}
			}
			return false
		})
	})
	return err
}

func majorityFrozen(ctx context.Context, r *Round) error {
	spared := pick(r, r.rig.Servers())
	for _, s := range r.rig.others(spared) {
		if err := s.Freeze(); err != nil {
			return err
		}
	}
	r.fault("all servers but %d frozen", spared.ID())
	return r.last(ctx, r.leases(0.5, 6))
}

// standstill stops the whole ensemble for longer than a lease. Nobody can lead until it is back.
func standstill(ctx context.Context, r *Round) error {
	r.fault("all servers frozen")
	for _, s := range r.rig.Servers() {
		if err := s.Freeze(); err != nil {
			return err
		}
	}
	if err := r.last(ctx, r.leases(1.2, 3)); err != nil {
		return err
	}
	back := r.fault("all servers are back")
	for _, s := range r.rig.Servers() {
		if err := s.Thaw(); err != nil {
			return err
		}
	}
	var elected int64
	// With a long D that was longer than syncLimit, and some releases do not commit any more: see
	// rig.united, which mends that. Then the round shows nothing of the time.
	ok, err := r.patiently(ctx, 2*r.lease+commitsWithin, func(ctx context.Context) error {
		return r.until(ctx, "somebody leads", func(now map[string]*standing) bool {
			for _, s := range now {
				if s.elected > back && s.beat >= s.elected {
					elected = s.elected
				}
			}
			return elected != 0
		})
	})
	r.notes.count("led again before all was mended", ok)
	if ok {
		r.after = append(r.after, time.Duration(elected-back))
	}
	return err
}

func rollingRestart(ctx context.Context, r *Round) error {
	for _, s := range r.rig.Servers() {
		r.fault("server %d restarted", s.ID())
		if err := s.Restart(ctx); err != nil {
			return err
		}
	}
	return nil
}

func serversKilled(ctx context.Context, r *Round) error {
	for _, s := range r.rig.Servers() {
		r.fault("server %d killed", s.ID())
		if err := s.Kill(); err != nil {
			return err
		}
		ok, err := r.patiently(ctx, settleWithin*r.T, r.settled)
		if err != nil {
			return err
		}
		r.notes.count("settled on two", ok)
		if err := r.rig.Heal(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fullRestart kills all servers and starts them after so many session timeouts.
func fullRestart(after float64) func(context.Context, *Round) error {
	return func(ctx context.Context, r *Round) error {
		r.fault("all servers killed, for %.1f T", after)
		begin := time.Now()
		for _, s := range r.rig.Servers() {
			if err := s.Kill(); err != nil {
				return err
			}
		}
		if err := r.last(ctx, time.Duration(after*float64(r.T))); err != nil {
			return err
		}
		if err := r.rig.Heal(ctx); err != nil {
			return err
		}
		r.notes.measure("down for", time.Since(begin))
		return nil
	}
}

func serverFrozen(ctx context.Context, r *Round) error {
	l, s, err := r.servedBy(ctx, false)
	if err != nil {
		return err
	}
	return r.keepsLeading(l, func() error {
		if err := s.Freeze(); err != nil {
			return err
		}
		r.fault("server %d frozen", s.ID())
		return r.last(ctx, r.leases(0.3, 6))
	})
}

func serverFrozenReconnect(ctx context.Context, r *Round) error {
	l, s, err := r.servedBy(ctx, false)
	if err != nil {
		return err
	}
	frozen := pick(r, r.rig.others(s))
	return r.keepsLeading(l, func() error {
		if err := frozen.Freeze(); err != nil {
			return err
		}
		r.fault("server %d frozen, server %d drops its clients", frozen.ID(), s.ID())
		if err := r.rig.resetClients(ctx, s); err != nil {
			return err
		}
		return r.last(ctx, r.leases(0.5, 6))
	})
}
