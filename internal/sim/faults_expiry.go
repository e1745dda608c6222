package sim

import (
	"cmp"
	"context"
	"math/rand"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// expiryFaults are what real servers do, or did in some versions, so that a session ends although
// its client was answered all the time, or sooner than it should. A lease that depends on when
// sessions expire breaks under each of them.
var expiryFaults = map[string]begin{
	"late expiry":  onZooKeeperLeader(expireLate),
	"lost touches": onZooKeeperLeader(loseTouch),
	"pings stop": onZooKeeperLeader(func(_ *world, leader *zktest.Server, _ *rand.Rand) (end func()) {
		leader.StopPings()
		return leader.ResumePings
	}),
	"server clock steps": onZooKeeperLeader(stepClock),
	"server grants less": onZooKeeperLeader(func(w *world, _ *zktest.Server, rng *rand.Rand) (end func()) {
		s := w.server(rng)
		s.SetSessionLimits(tick, 2*tick)
		return func() { s.SetSessionLimits(2*tick, 20*tick) }
	}),
}

// stepClock sets the wall clock of the ZooKeeper leader, by 2T forward to T/2 back. Further back,
// the session tracker would fill buckets again that it has emptied, and their sessions would stay
// for ever.
func stepClock(w *world, leader *zktest.Server, rng *rand.Rand) (end func()) {
	T := w.plan.Timeout
	step := time.Duration(rng.Int63n(int64(T*2))) - T/2
	leader.StepClock(step)
	if p := w.leading(rng); p != nil && rng.Intn(2) == 0 { // or it hears at once that its session is over
		p.host.Hold()
		time.AfterFunc(2*T, p.heal)
	}
	if step > 0 {
		return nil // it stays: undone, it would be a step back that is too long
	}
	return func() { leader.StepClock(-step) }
}

// expireLate cuts off a leader and its heir until the session tracker has taken the heir's session.
// The heir comes back, its session seems to live, and the leader's ends. Then the heir's is closed,
// too.
func expireLate(w *world, _ *zktest.Server, rng *rand.Rand) (end func()) {
	line := w.lineUp(w.linePath(rng))
	if len(line) < 2 || line[0].p == line[1].p {
		return nil
	}
	leader, heir := line[0].p, line[1].p
	w.delayExpiry(time.Duration(rng.Int63n(int64(w.plan.Timeout / 2))))
	leader.host.Hold()
	heir.host.Hold()
	w.await(func() bool { return w.taken(heir) }, heir.heal)
	time.AfterFunc(4*w.plan.Timeout, func() {
		w.delayExpiry(0)
		leader.heal()
		heir.heal()
	})
	return nil
}

func (w *world) delayExpiry(lag time.Duration) {
	for _, s := range w.ens.Servers() {
		s.DelayExpiry(lag)
	}
}

// loseTouch chooses a process that waits in line and is in touch by pings alone. It lets the
// process become the leader when one of these pings is old enough to count as a proof, and the
// ZooKeeper leader has not heard of that ping. The process and its server are isolated before the
// server tells of a newer one.
func loseTouch(w *world, _ *zktest.Server, rng *rand.Rand) (end func()) {
	dir := w.linePath(rng)
	w.atFollower(w.waiting(dir), func(p *proc, _, follower *zktest.Server) {
		w.whenTouchIsLost(p, 50, func() {
			w.afterBeats(p, 2, func() { w.isolateBoth(p, follower) })
			w.deleteAhead(p, dir)
		})
	})
	return nil
}

// whenTouchIsLost loses the touch of the next ping of a process. It calls f 15T/32 after the ping,
// if the process runs, and if the session would expire before a lease that counts from that ping,
// unless more is heard of it. Otherwise it tries the next ping. After so many pings it gives up.
func (w *world) whenTouchIsLost(p *proc, pings int, f func()) {
	if pings == 0 {
		return
	}
	T := w.plan.Timeout
	rule := w.ens.On(zktest.Match{Host: p.name, Op: zktest.OpPing, Nth: 1}, zktest.LoseTouch)
	time.AfterFunc(T, rule.Remove)
	age := T * 15 / 32
	w.onRequest(p, zktest.OpPing, func(zktest.Request) {
		time.AfterFunc(age, func() {
			id := sessionID(p)
			early := func(s zktest.Session) bool { return s.ID == id && s.Expires+age < T*15/16 }
			if slices.ContainsFunc(w.ens.Sessions(), early) && !p.clock.paused() {
				f()
				return
			}
			w.whenTouchIsLost(p, pings-1, f)
		})
	})
}

// deleteAhead deletes, as an administrator would, what stands ahead of a process in a line.
func (w *world) deleteAhead(p *proc, dir string) {
	w.asAdmin(w.plan.Timeout/8, func(ctx context.Context, s *session.Session) {
		for _, x := range w.lineUp(dir) {
			if x.p == p {
				return
			}
			s.Delete(ctx, x.path, -1)
		}
	})
}

// A place is a candidate's in a line.
type place struct {
	p    *proc
	path string
}

// linePath returns the path of a line: that of an election, or of a semaphore's permits.
func (w *world) linePath(rng *rand.Rand) string {
	if w.plan.Semaphores > 0 {
		return semaphorePath(rng.Intn(w.plan.Semaphores)) + "/leases"
	}
	return electionPath(rng.Intn(w.plan.Elections))
}

// lineUp returns the line of an election, without those whose process has crashed.
func (w *world) lineUp(dir string) (line []place) {
	sessions := w.sessions()
	nodes := w.ens.Nodes()
	slices.SortStableFunc(nodes, func(a, b zktest.Node) int { return cmp.Compare(a.Stat.Czxid, b.Stat.Czxid) })
	for _, n := range nodes {
		if p := sessions[n.Stat.EphemeralOwner]; p != nil && strings.HasPrefix(n.Path, dir+"/") {
			line = append(line, place{p, n.Path})
		}
	}
	return line
}

// waiting returns a process in the line of an election, or nil. The process is not among the first
// two of any election.
func (w *world) waiting(dir string) *proc {
	busy := map[*proc]bool{}
	for n := range w.plan.Elections {
		line := w.lineUp(electionPath(n))
		for _, x := range line[:min(2, len(line))] {
			busy[x.p] = true
		}
	}
	for _, x := range w.lineUp(dir) {
		if !busy[x.p] {
			return x.p
		}
	}
	return nil
}

// taken reports whether the session of a process is going to be closed whatever it does.
func (w *world) taken(p *proc) bool {
	id := sessionID(p)
	return slices.ContainsFunc(w.ens.Sessions(), func(s zktest.Session) bool { return s.ID == id && s.Taken })
}

// await calls f when ok holds, unless that takes more than 3T.
func (w *world) await(ok func() bool, f func()) {
	end := time.Now().Add(3 * w.plan.Timeout)
	var look func()
	look = func() {
		switch {
		case ok():
			f()
		case time.Now().Before(end):
			time.AfterFunc(settle, look)
		}
	}
	look()
}
