package sim

import (
	"context"
	"fmt"
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// faultKinds are the names in a plan. What is left out on purpose: packets lost within a TCP
// connection that goes on, which TCP does not do.
var faultKinds = []string{
	"kill server", "freeze server", "slow server", "isolate server", "isolate zookeeper leader",
	"isolate the leader's server", "isolate a new leader's server", "cut link one way", "turn a cut round",
	"pause and turn a cut round", "isolate near expiry", "isolate after a pause", "isolate after a read", "slow handshake",
	"cling to a deposed server", "delay link", "late pings", "restart all servers",
	"hold host", "hold the leader's host", "hold host to server", "hold host to client", "cut host", "delay host", "black hole",
	"expire session", "expire session unanswered", "lose reply", "lose request", "fail request",
	"pause process", "pause the leader", "suspend host", "crash process", "crash the leader",
	"admin deletes candidate", "admin deletes leader", "admin deletes a leader that is cut off", "admin deletes path",
	"late expiry", "lost touches", "pings stop", "server clock steps", "server grants less",
}

// apply begins a fault and returns what ends it, or nil.
func (w *world) apply(f Fault) (end func()) {
	rng := rand.New(rand.NewSource(f.Seed))
	server := func() *zktest.Server { return w.ens.Server(1 + rng.Intn(3)) }
	w.check.logf("FAULT %v", f)
	switch f.Kind {
	case "kill server":
		s := server()
		s.Kill()
		return func() { s.Start() }
	case "freeze server":
		s := server()
		s.Freeze()
		return s.Thaw
	case "slow server":
		s := server()
		s.Slow(time.Duration(rng.Int63n(int64(300 * time.Millisecond))))
		return func() { s.Slow(0) }
	case "isolate server":
		s := server()
		s.Isolate()
		return s.Rejoin
	case "isolate zookeeper leader":
		if s := w.ens.Leader(); s != nil {
			s.Isolate()
			return s.Rejoin
		}
	case "isolate the leader's server":
		if p := w.leading(rng); p != nil {
			if c := w.ens.ConnOf(sessionID(p)); c != nil {
				s := w.ens.Server(c.Server())
				s.Isolate()
				return s.Rejoin
			}
		}
	case "isolate a new leader's server":
		// Before it has renewed its lease in steady state.
		delay := time.Duration(rng.Int63n(int64(w.plan.Timeout / 8)))
		w.check.onNext(func(p *proc) {
			time.AfterFunc(delay, func() {
				if c := w.ens.ConnOf(sessionID(p)); c != nil {
					s := w.ens.Server(c.Server())
					s.Isolate()
					time.AfterFunc(2*w.plan.Timeout, s.Rejoin)
				}
			})
		})
	case "turn a cut round":
		w.atFollower(w.leading(rng), func(p *proc, leader, follower *zktest.Server) {
			turn := time.Duration(rng.Int63n(int64(w.plan.Timeout)))
			w.whenNearExpiry(p, 50, func() { w.turnRound(leader, follower, turn) })
		})
	case "pause and turn a cut round":
		// The next beat of the leader, the first after a long while, is answered only
		// because the cut turns.
		w.atFollower(w.leading(rng), func(p *proc, leader, follower *zktest.Server) {
			T := w.plan.Timeout
			pause := T*2/5 + time.Duration(rng.Int63n(int64(T/16)))
			turn := pause + T/64 + time.Duration(rng.Int63n(int64(T/10)))
			w.whenNearExpiry(p, 50, func() {
				w.turnRound(leader, follower, turn)
				time.AfterFunc(pause, w.pause(p, false))
			})
		})
	case "isolate near expiry":
		w.atFollower(w.leading(rng), func(p *proc, _, follower *zktest.Server) {
			w.whenNearExpiry(p, 50, func() {
				w.isolateBoth(p, follower)
			})
		})
	case "isolate after a pause":
		// The lease is short by then, so that beats follow one another quickly, and
		// perhaps no ping comes between them.
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
	case "isolate after a read":
		// The server answers a read by itself, so the answer proves nothing.
		if p := w.leading(rng); p != nil {
			reads := []zktest.Op{zktest.OpGetData, zktest.OpExists, zktest.OpGetChildren2}
			w.onRequest(p, reads[rng.Intn(len(reads))], func(r zktest.Request) {
				time.AfterFunc(3*w.plan.Latency, func() { w.isolateBoth(p, w.ens.Server(r.Server)) })
			})
		}
	case "cling to a deposed server":
		w.cling(w.leading(rng))
	case "slow handshake":
		w.slowHandshake(rng)
	case "cut link one way":
		l := w.link(rng)
		l.Hold()
		return l.Heal
	case "delay link":
		l := w.link(rng)
		l.Delay(time.Duration(rng.Int63n(int64(300 * time.Millisecond))))
		return l.Heal
	case "late pings":
		late := time.Duration(rng.Int63n(int64(w.plan.Timeout)))
		for _, s := range w.ens.Servers() {
			s.DelayPings(late)
		}
		return func() {
			for _, s := range w.ens.Servers() {
				s.DelayPings(0)
			}
		}
	case "restart all servers":
		for _, s := range w.ens.Servers() {
			s.Kill()
		}
		return func() {
			for _, s := range w.ens.Servers() {
				s.Start()
			}
		}
	case "late expiry", "lost touches", "pings stop", "server clock steps", "server grants less":
		return w.applyToServers(f, rng)
	default:
		return w.applyToClient(f, rng)
	}
	return nil
}

func (w *world) applyToClient(f Fault, rng *rand.Rand) (end func()) {
	p := w.alive(rng)
	if p == nil {
		return nil
	}
	switch f.Kind {
	case "hold host":
		p.host.Hold()
		return p.heal
	case "hold the leader's host":
		w.holdWhileItLeads(rng)
	case "hold host to server":
		p.host.Hold(zktest.ToServer)
		return p.heal
	case "hold host to client":
		p.host.Hold(zktest.ToClient)
		return p.heal
	case "cut host":
		p.host.Cut()
	case "delay host":
		dirs := [][]zktest.Direction{{zktest.ToServer, zktest.ToClient}, {zktest.ToClient}, {zktest.ToServer}}[rng.Intn(3)]
		p.host.Delay(time.Duration(rng.Int63n(int64(w.plan.Timeout/4))), dirs...)
		return p.heal
	case "black hole":
		p.host.Drop()
		return func() { p.host.Cut(); p.heal() } // no TCP connection survives a lost frame
	case "expire session":
		// Against all that servers do by themselves, like an administrator's hand.
		if id := sessionID(p); id != 0 {
			w.ens.ExpireSession(id)
		}
	case "expire session unanswered":
		// The process never learns what became of its last requests.
		p.host.Drop(zktest.ToClient)
		time.AfterFunc(w.plan.Timeout/8, func() {
			if id := sessionID(p); id != 0 {
				w.ens.ExpireSession(id)
			}
			p.host.Cut()
			p.heal()
		})
	case "lose reply", "lose request", "fail request":
		effect := map[string]zktest.Effect{
			"lose reply": zktest.LoseReply, "lose request": zktest.LoseRequest, "fail request": zktest.Fail(zktest.CodeSessionMoved),
		}[f.Kind]
		ops := []zktest.Op{zktest.OpCreate, zktest.OpDelete, zktest.OpMulti, zktest.OpGetData, zktest.OpExists, zktest.OpGetChildren2, zktest.OpSync, zktest.OpConnect}
		rule := w.ens.On(zktest.Match{Op: ops[rng.Intn(len(ops))], Nth: 1 + rng.Intn(3)}, effect)
		return rule.Remove
	case "pause process":
		return w.pause(p, false)
	case "pause the leader":
		if p := w.leading(rng); p != nil {
			return w.pause(p, false)
		}
	case "suspend host":
		return w.pause(p, true)
	case "crash process":
		return w.crash(p, rng.Int63())
	case "crash the leader":
		if p := w.leading(rng); p != nil {
			return w.crash(p, rng.Int63())
		}
	case "admin deletes contender":
		if w.plan.Locks > 0 {
			w.adminDeletesContender(rng)
		}
	case "admin deletes a leader that is cut off":
		if leader := w.holdWhileItLeads(rng); leader != nil {
			w.adminDeletesNode(leader.Node())
		}
	case "admin deletes candidate", "admin deletes leader", "admin deletes path":
		w.adminDeletes(f.Kind, rng)
	default:
		panic("no such fault: " + f.Kind)
	}
	return nil
}

func sessionID(p *proc) int64 { return p.client.Status().Session }

// alive returns a process that is neither crashed nor paused, or nil.
func (w *world) alive(rng *rand.Rand) *proc {
	var all []*proc
	for _, p := range w.procs {
		if !p.crashed.Load() && !p.clock.paused() {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[rng.Intn(len(all))]
}

// leading returns a process that leads one of the elections, or holds a permit, or nil.
func (w *world) leading(rng *rand.Rand) *proc {
	p, _ := w.holder(rng)
	return p
}

// tenure is a term or a permit.
type tenure interface {
	Context() context.Context
	Node() string
}

// holder is leading, and also returns the term or the permit.
func (w *world) holder(rng *rand.Rand) (*proc, tenure) {
	if w.plan.Semaphores > 0 {
		return w.holding(rng)
	}
	w.check.mu.Lock()
	defer w.check.mu.Unlock()
	r := w.check.record(electionPath(rng.Intn(w.plan.Elections)))
	for _, t := range r.terms {
		if t.term.Valid() && !t.proc.crashed.Load() && !t.proc.clock.paused() {
			return t.proc, t.term
		}
	}
	return nil, nil
}

// link returns one direction between two servers, every other time from the ZooKeeper
// leader.
func (w *world) link(rng *rand.Rand) *zktest.Link {
	a := w.ens.Server(1 + rng.Intn(3))
	if leader := w.ens.Leader(); leader != nil && rng.Intn(2) == 0 {
		a = leader
	}
	return w.ens.Link(a, w.ens.Server(1+(a.ID()+rng.Intn(2))%3))
}

// heal ends the faults of the process's network, unless the process is stopped, when
// nothing may reach it or leave it.
func (p *proc) heal() {
	if !p.crashed.Load() && !p.clock.paused() {
		p.host.Heal()
	}
}

// pause stops a process, or suspends its host. Nothing reaches it or leaves it meanwhile.
func (w *world) pause(p *proc, suspend bool) (end func()) {
	p.clock.pause(suspend)
	p.host.Hold()
	return func() {
		if p.crashed.Load() {
			return
		}
		w.check.resumed(p)
		w.locks.resumed(p)
		p.clock.resume()
		p.host.Heal()
	}
}

// crash ends a process for good, as far as anybody can see, and starts one in its place.
func (w *world) crash(p *proc, seed int64) (end func()) {
	p.crashed.Store(true)
	p.clock.pause(false)
	p.host.Drop()
	return func() {
		w.started++
		w.startProc(fmt.Sprintf("p%d", w.started), seed)
	}
}

// adminDeletesNode deletes a znode as an administrator would.
func (w *world) adminDeletesNode(node string) {
	ctx, cancel := context.WithTimeout(context.Background(), w.plan.Timeout)
	defer cancel()
	if s, err := w.admin.Session(ctx); err == nil {
		w.check.logf("admin deletes %s", node)
		s.Delete(ctx, node, -1)
	}
}

// adminDeletes deletes as an administrator would: over a session of its own, which no
// fault of a client's host concerns. It gives up after a while.
func (w *world) adminDeletes(what string, rng *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), w.plan.Timeout)
	defer cancel()
	s, err := w.admin.Session(ctx)
	if err != nil {
		return
	}
	if w.plan.Semaphores > 0 {
		w.adminDeletesPermits(ctx, s, what, rng)
		return
	}
	path := electionPath(rng.Intn(w.plan.Elections))
	names, _, err := s.Children(ctx, path)
	if err != nil || len(names) == 0 {
		return
	}
	switch what {
	case "admin deletes path":
		for _, n := range names {
			w.check.doom(path + "/" + n)
			s.Delete(ctx, path+"/"+n, -1)
		}
		s.Delete(ctx, path, -1)
		return
	case "admin deletes candidate":
		names = names[rng.Intn(len(names)):]
	case "admin deletes leader":
		w.check.mu.Lock()
		for _, t := range w.check.record(path).terms {
			if t.term.Valid() {
				names = []string{t.term.Node()[len(path)+1:]}
			}
		}
		w.check.mu.Unlock()
	}
	w.check.logf("admin deletes %s", names[0])
	s.Delete(ctx, path+"/"+names[0], -1)
}
