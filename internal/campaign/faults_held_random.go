//go:build linux

package campaign

import (
	"context"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/hold"
)

// serverIn picks a server that is in a mode, or any for "": often the one that serves the leader.
func (r *Round) serverIn(ctx context.Context, mode string) (*ensemble.Server, error) {
	if l := r.leader(); l != nil && r.rng.IntN(2) == 0 {
		if s := r.rig.holder(ctx, r.of(l.id).session); s != nil {
			if its, err := s.Mode(ctx); err == nil && (mode == "" || its == mode) {
				return s, nil
			}
		}
	}
	switch mode {
	case "leader":
		return r.rig.Leader(ctx)
	case "follower":
		return r.rig.Follower(ctx)
	}
	return pick(r, r.rig.Servers()), nil
}

// holdOne stops a thread of a server at one of some places, as soon as one comes by.
func holdOne(places ...hold.Place) hazard {
	return func(ctx context.Context, r *Round) (func(context.Context) error, error) {
		ctx, cancel := context.WithTimeout(ctx, r.T/2) // a frozen server does not answer
		defer cancel()
		p := pick(r, places)
		s, err := r.serverIn(ctx, p.Mode)
		if err != nil {
			return nil, err
		}
		held, err := r.hold(ctx, s, p)
		if err != nil {
			return nil, err
		}
		r.fault("server %d: %s is to be held", s.ID(), p.Name)
		return func(ctx context.Context) error {
			select {
			case <-held.Arrived():
				r.notes.count("reached", true)
			default:
				r.notes.count("reached", false)
			}
			r.fault("server %d: %s goes on", s.ID(), p.Name)
			ctx, cancel := context.WithTimeout(ctx, r.T/2)
			defer cancel()
			return held.Release(ctx)
		}, nil
	}
}

// holdEach holds at each of some places.
func holdEach(places ...hold.Place) (all []hazard) {
	for _, p := range places {
		all = append(all, holdOne(p))
	}
	return all
}

// heldAtRandom holds threads at one of some places, and breaks what makes the leadership change
// besides.
func heldAtRandom(places ...hold.Place) func(context.Context, *Round) error {
	h := holdOne(places...)
	return atRandom([]hazard{h, h, h, h, h, h, h, cutClient, cutClient, pauseOne, resignOne, resignOne, dropClients})
}
