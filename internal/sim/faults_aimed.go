package sim

import (
	"context"
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The faults in this file are aimed at the lease: at moments, of a few milliseconds, in which
// one that counts too much as proof would last too long.

// turnRound cuts one direction of a link and, a while later, the other instead. What the
// first has held back arrives at that moment, so pings and commits come through together,
// and no answer to them does. Then both are cut, and what becomes of that does not come
// through either.
func (w *world) turnRound(leader, follower *zktest.Server, turn time.Duration) {
	there, back := w.ens.Link(leader, follower), w.ens.Link(follower, leader)
	there.Hold()
	time.AfterFunc(turn, func() { back.Hold(); there.Heal() })
	time.AfterFunc(turn+settle, there.Hold)
	time.AfterFunc(turn+2*w.plan.Timeout, func() { there.Heal(); back.Heal() })
}

// holdWhileItLeads cuts off a leader until its term has ended. Then what was held back reaches it, in
// the last moments of its lease.
func (w *world) holdWhileItLeads(rng *rand.Rand) tenure {
	p, term := w.holder(rng)
	if p == nil {
		return nil
	}
	p.host.Hold()
	context.AfterFunc(term.Context(), p.heal)
	return term
}

// isolateBoth isolates a server from the others, and a process from all servers, so that
// it cannot save its session by moving.
func (w *world) isolateBoth(p *proc, s *zktest.Server) {
	s.Isolate()
	p.host.Hold()
	time.AfterFunc(2*w.plan.Timeout, func() { s.Rejoin(); p.heal() })
}

// nearExpiry reports whether the session of a process, if it is not heard of again, expires
// long before T has passed: then a lease that counts from now would last too long.
func (w *world) nearExpiry(p *proc) bool {
	for _, s := range w.ens.Sessions() {
		if s.ID == sessionID(p) {
			return s.Expires < w.plan.Timeout*7/8
		}
	}
	return false
}

// whenNearExpiry calls f just after a beat of a process whose session is near expiry.
// After so many beats it gives up.
func (w *world) whenNearExpiry(p *proc, beats int, f func()) {
	if beats == 0 {
		return
	}
	w.afterBeats(p, 1, func() {
		if w.nearExpiry(p) && !p.clock.paused() {
			f()
			return
		}
		w.whenNearExpiry(p, beats-1, f)
	})
}

// afterBeats calls f when the n-th beat (or other multi) from now on is answered.
func (w *world) afterBeats(p *proc, n int, f func()) {
	w.onRequest(p, zktest.OpMulti, func(zktest.Request) {
		if n > 1 {
			time.AfterFunc(1, func() { w.afterBeats(p, n-1, f) })
			return
		}
		time.AfterFunc(settle, f)
	})
}

// cling lets a process reach no server but the ZooKeeper leader, which is then isolated, and
// for a while takes itself for the leader still: it answers handshakes, too.
func (w *world) cling(p *proc) {
	deposed := w.ens.Leader()
	if p == nil || deposed == nil {
		return
	}
	var rules []*zktest.Rule
	for _, s := range w.ens.Servers() {
		if s.ID() != deposed.ID() {
			rules = append(rules, w.ens.On(zktest.Match{Op: zktest.OpConnect, Host: p.name, Server: s.ID()}, zktest.LoseRequest))
		}
	}
	if c := w.ens.ConnOf(sessionID(p)); c == nil || c.Server() != deposed.ID() {
		p.host.Cut()
	}
	time.AfterFunc(w.plan.Timeout, deposed.Isolate)
	time.AfterFunc(4*w.plan.Timeout+syncLimit*tick, func() {
		deposed.Rejoin()
		for _, r := range rules {
			r.Remove()
		}
	})
}

// settle is how long it takes, without faults, until a commit is on all servers.
const settle = 8 * time.Millisecond

// atFollower calls f with a process that is connected to a follower, and with that and the
// ZooKeeper leader. One that is connected to the ZooKeeper leader itself is moved first, if
// it can be.
func (w *world) atFollower(p *proc, f func(p *proc, leader, follower *zktest.Server)) {
	try := func() (again bool) {
		leader := w.ens.Leader()
		if p == nil || p.crashed.Load() || p.clock.paused() || leader == nil {
			return false
		}
		c := w.ens.ConnOf(sessionID(p))
		if c != nil && c.Server() != leader.ID() {
			f(p, leader, w.ens.Server(c.Server()))
			return false
		}
		return true
	}
	if try() {
		p.host.Cut()
		time.AfterFunc(w.plan.Timeout, func() { try() })
	}
}

// slowHandshake lets a leader connect anew and receive the answer late, but no later than
// it waits for that; its server is isolated as soon as a beat has come through.
func (w *world) slowHandshake(rng *rand.Rand) {
	p := w.leading(rng)
	if p == nil {
		return
	}
	delay := w.plan.Timeout/8*7/10 + time.Duration(rng.Int63n(int64(w.plan.Timeout/32)))
	p.host.Delay(delay, zktest.ToClient)
	p.host.Cut()
	w.onRequest(p, zktest.OpConnect, func(zktest.Request) {
		time.AfterFunc(delay+3*time.Millisecond, func() {
			p.heal()
			w.onRequest(p, zktest.OpMulti, func(r zktest.Request) {
				time.AfterFunc(settle, func() { w.isolateBoth(p, w.ens.Server(r.Server)) })
			})
		})
	})
}
