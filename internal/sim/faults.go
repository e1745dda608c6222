package sim

import (
	"context"
	"math/rand"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// faultKinds are the names in a plan. A plan draws its kinds by their position in this list, so
// another order makes other plans of all seeds. What is left out on purpose: packets lost within a
// TCP connection that goes on, which TCP does not do.
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
	"admin overwrites record", "admin overwrites record and deletes leader",
	"hold requests", "hold a create",
}

// A begin begins a fault and returns what ends it, or nil. It decides by rng alone.
type begin func(w *world, rng *rand.Rand) (end func())

// faults tells how the faults begin. Each group has a file.
var faults = together(serverFaults, hostFaults, requestFaults, processFaults, adminFaults, aimedFaults, expiryFaults, heldFaults)

func together(groups ...map[string]begin) map[string]begin {
	all := map[string]begin{}
	for _, group := range groups {
		for kind, f := range group {
			if all[kind] != nil {
				panic("two faults are called " + kind)
			}
			all[kind] = f
		}
	}
	return all
}

// apply begins a fault and returns what ends it, or nil.
func (w *world) apply(f Fault) (end func()) {
	begin := faults[f.Kind]
	if begin == nil {
		panic("no such fault: " + f.Kind)
	}
	w.check.logf("FAULT %v", f)
	return begin(w, rand.New(rand.NewSource(f.Seed)))
}

// endless is a fault that nothing ends, or that ends by itself.
func endless(f func(w *world, rng *rand.Rand)) begin {
	return func(w *world, rng *rand.Rand) (end func()) {
		f(w, rng)
		return nil
	}
}

// onServer is a fault of any server.
func onServer(f func(w *world, s *zktest.Server, rng *rand.Rand) (end func())) begin {
	return func(w *world, rng *rand.Rand) (end func()) { return f(w, w.server(rng), rng) }
}

// onZooKeeperLeader is a fault of the ZooKeeper leader. It does nothing while there is none.
func onZooKeeperLeader(f func(w *world, leader *zktest.Server, rng *rand.Rand) (end func())) begin {
	return func(w *world, rng *rand.Rand) (end func()) {
		if leader := w.ens.Leader(); leader != nil {
			return f(w, leader, rng)
		}
		return nil
	}
}

// onProcess is a fault of any process that is neither crashed nor paused. It does nothing if there
// is none.
func onProcess(f func(w *world, p *proc, rng *rand.Rand) (end func())) begin {
	return func(w *world, rng *rand.Rand) (end func()) {
		if p := w.alive(rng); p != nil {
			return f(w, p, rng)
		}
		return nil
	}
}

// onLeader is a fault of a process that leads, or holds a permit. It does nothing if there is none.
func onLeader(f func(w *world, p *proc, rng *rand.Rand) (end func())) begin {
	return func(w *world, rng *rand.Rand) (end func()) {
		if p := w.leading(rng); p != nil {
			return f(w, p, rng)
		}
		return nil
	}
}

// ifAlive is a fault that does nothing if all processes are crashed or paused. It draws a process,
// which the fault does not use: without that, a seed would stand for another run.
func ifAlive(f begin) begin {
	return onProcess(func(w *world, _ *proc, rng *rand.Rand) (end func()) { return f(w, rng) })
}

func sessionID(p *proc) int64 { return p.client.Status().Session }

func (w *world) server(rng *rand.Rand) *zktest.Server { return w.ens.Server(1 + rng.Intn(3)) }

// serverOf returns the server that a process is connected to, or nil.
func (w *world) serverOf(p *proc) *zktest.Server {
	if c := w.ens.ConnOf(sessionID(p)); c != nil {
		return w.ens.Server(c.Server())
	}
	return nil
}

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

// leading returns a process that leads one of the elections, or holds a lock or a permit, or nil.
func (w *world) leading(rng *rand.Rand) *proc {
	p, _ := w.holder(rng)
	return p
}

// strikesLock chooses whether a fault is about a lock, where there are locks beside the elections.
func (w *world) strikesLock(rng *rand.Rand) bool {
	return w.plan.Locks > 0 && (w.plan.Elections == 0 || rng.Intn(2) == 0)
}

// tenure is a term, a permit, or what holds a lock.
type tenure interface {
	Context() context.Context
	Node() string
}

// holder is leading, and also returns what it leads by or holds.
func (w *world) holder(rng *rand.Rand) (*proc, tenure) {
	switch {
	case w.plan.Semaphores > 0:
		return w.holding(rng)
	case w.strikesLock(rng):
		return w.locks.holder(lockPath(rng.Intn(w.plan.Locks)))
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
