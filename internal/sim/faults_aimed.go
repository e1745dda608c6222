package sim

import (
	"context"
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// aimedFaults strike at a moment of a few milliseconds. If a lease counts too much as proof, it
// lasts too long at that moment.
var aimedFaults = map[string]begin{
	"isolate the leader's server":   onLeader(isolateServerOf),
	"isolate a new leader's server": endless((*world).isolateServerOfNewLeader),
	"isolate near expiry":           endless((*world).isolateNearExpiry),
	"isolate after a pause":         endless((*world).isolateAfterPause),
	"isolate after a read":          onLeader(isolateAfterRead),
	"turn a cut round":              endless((*world).turnACutRound),
	"pause and turn a cut round":    endless((*world).pauseAndTurnACutRound),
	"hold the leader's host":        ifAlive(endless(func(w *world, rng *rand.Rand) { w.holdWhileItLeads(rng) })),
	"slow handshake":                onLeader(slowHandshake),
	"cling to a deposed server":     onLeader(cling),
}

func isolateServerOf(w *world, p *proc, _ *rand.Rand) (end func()) {
	s := w.serverOf(p)
	if s == nil {
		return nil
	}
	s.Isolate()
	return s.Rejoin
}

// isolateServerOfNewLeader isolates the server of the next leader before the leader renews its
// lease at regular intervals.
func (w *world) isolateServerOfNewLeader(rng *rand.Rand) {
	delay := time.Duration(rng.Int63n(int64(w.plan.Timeout / 8)))
	w.check.onNext(func(p *proc) {
		time.AfterFunc(delay, func() {
			if s := w.serverOf(p); s != nil {
				s.Isolate()
				time.AfterFunc(2*w.plan.Timeout, s.Rejoin)
			}
		})
	})
}

func (w *world) isolateNearExpiry(rng *rand.Rand) {
	w.atFollower(w.leading(rng), func(p *proc, _, follower *zktest.Server) {
		w.whenNearExpiry(p, 50, func() { w.isolateBoth(p, follower) })
	})
}

// isolateAfterPause isolates a leader that was paused. Its lease is short by then, so that beats
// follow one another quickly, and perhaps no ping comes between them.
func (w *world) isolateAfterPause(rng *rand.Rand) {
	w.atFollower(w.leading(rng), func(p *proc, _, follower *zktest.Server) {
		resume := w.pause(p, false)
		time.AfterFunc(w.plan.Timeout/4+time.Duration(rng.Int63n(int64(w.plan.Timeout/8))), func() {
			resume()
			w.afterBeats(p, 3, func() {
				if w.nearExpiry(p) {
					w.isolateBoth(p, follower)
				}
			})
		})
	})
}

// isolateAfterRead isolates a leader after a read. The server answers a read by itself, so the
// answer proves nothing.
func isolateAfterRead(w *world, p *proc, rng *rand.Rand) (end func()) {
	reads := []zktest.Op{zktest.OpGetData, zktest.OpExists, zktest.OpGetChildren2}
	w.onRequest(p, reads[rng.Intn(len(reads))], func(r zktest.Request) {
		time.AfterFunc(3*w.plan.Latency, func() { w.isolateBoth(p, w.ens.Server(r.Server)) })
	})
	return nil
}

func (w *world) turnACutRound(rng *rand.Rand) {
	w.atFollower(w.leading(rng), func(p *proc, leader, follower *zktest.Server) {
		turn := time.Duration(rng.Int63n(int64(w.plan.Timeout)))
		w.whenNearExpiry(p, 50, func() { w.turnRound(leader, follower, turn) })
	})
}

// pauseAndTurnACutRound also pauses the leader. Its next beat, the first after a long while, is
// answered only because the cut turns.
func (w *world) pauseAndTurnACutRound(rng *rand.Rand) {
	w.atFollower(w.leading(rng), func(p *proc, leader, follower *zktest.Server) {
		T := w.plan.Timeout
		pause := T*2/5 + time.Duration(rng.Int63n(int64(T/16)))
		turn := pause + T/64 + time.Duration(rng.Int63n(int64(T/10)))
		w.whenNearExpiry(p, 50, func() {
			w.turnRound(leader, follower, turn)
			time.AfterFunc(pause, w.pause(p, false))
		})
	})
}

// turnRound cuts one direction of a link and, a while later, the other instead. What the first cut
// has held back arrives at that moment, so pings and commits come through together, and no answer
// to them does. Then both directions are cut, so that nothing that follows from it comes through
// either.
func (w *world) turnRound(leader, follower *zktest.Server, turn time.Duration) {
	there, back := w.ens.Link(leader, follower), w.ens.Link(follower, leader)
	there.Hold()
	time.AfterFunc(turn, func() { back.Hold(); there.Heal() })
	time.AfterFunc(turn+settle, there.Hold)
	time.AfterFunc(turn+2*w.plan.Timeout, func() { there.Heal(); back.Heal() })
}

// holdWhileItLeads cuts off a leader until its term has ended. Then what was held back reaches it,
// in the last moments of its lease.
func (w *world) holdWhileItLeads(rng *rand.Rand) tenure {
	p, term := w.holder(rng)
	if p == nil {
		return nil
	}
	p.host.Hold()
	context.AfterFunc(term.Context(), p.heal)
	return term
}

// isolateBoth isolates a server from the others, and a process from all servers, so that it cannot
// save its session by moving.
func (w *world) isolateBoth(p *proc, s *zktest.Server) {
	s.Isolate()
	p.host.Hold()
	time.AfterFunc(2*w.plan.Timeout, func() { s.Rejoin(); p.heal() })
}

// nearExpiry reports whether the session of a process expires long before T has passed, if it is
// not heard of again. Then a lease that counts from now would last too long.
func (w *world) nearExpiry(p *proc) bool {
	for _, s := range w.ens.Sessions() {
		if s.ID == sessionID(p) {
			return s.Expires < w.plan.Timeout*7/8
		}
	}
	return false
}

// whenNearExpiry calls f just after a beat of a process whose session is near expiry. After so many
// beats it gives up.
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

// cling lets a process reach no server but the ZooKeeper leader, which is then isolated. For a
// while that server still takes itself for the leader: it answers handshakes, too.
func cling(w *world, p *proc, _ *rand.Rand) (end func()) {
	deposed := w.ens.Leader()
	if deposed == nil {
		return nil
	}
	free := w.confine(p, deposed)
	time.AfterFunc(w.plan.Timeout, deposed.Isolate)
	time.AfterFunc(4*w.plan.Timeout+syncLimit*tick, func() {
		deposed.Rejoin()
		free()
	})
	return nil
}

// confine lets a process reach one server alone, until free is called.
func (w *world) confine(p *proc, only *zktest.Server) (free func()) {
	var rules []*zktest.Rule
	for _, s := range w.ens.Servers() {
		if s.ID() != only.ID() {
			rules = append(rules, w.ens.On(zktest.Match{Op: zktest.OpConnect, Host: p.name, Server: s.ID()}, zktest.LoseRequest))
		}
	}
	if c := w.ens.ConnOf(sessionID(p)); c == nil || c.Server() != only.ID() {
		p.host.Cut()
	}
	return func() {
		for _, r := range rules {
			r.Remove()
		}
	}
}

// settle is how long it takes, without faults, until a commit is on all servers.
const settle = 8 * time.Millisecond

// atFollower calls f with a process that is connected to a follower, with the ZooKeeper leader, and
// with that follower. If the process is connected to the ZooKeeper leader, it is moved first, if
// that is possible.
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

// slowHandshake lets a leader connect anew and receive the answer late, but no later than it waits
// for that. Its server is isolated as soon as a beat has come through.
func slowHandshake(w *world, p *proc, rng *rand.Rand) (end func()) {
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
	return nil
}
