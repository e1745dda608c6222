package sim

import (
	"cmp"
	"math/rand"
	"slices"
	"strings"
	"time"

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

// loseTouch lets two beats of a leader succeed of which the ZooKeeper leader does not hear, and
// then isolates the process and its server. So the session expires less than T after the
// second beat. A lease of nearly T that begins at that beat would last longer.
func loseTouch(w *world, _ *zktest.Server, rng *rand.Rand) (end func()) {
	w.atFollower(w.leading(rng), func(p *proc, _, follower *zktest.Server) {
		rule := w.ens.On(zktest.Match{Host: p.name}, zktest.LoseTouch)
		time.AfterFunc(w.plan.Timeout, rule.Remove) // if the beats fail
		w.afterBeats(p, 2, func() { w.isolateBoth(p, follower) })
	})
	return nil
}

// A place is a candidate's in a line.
type place struct {
	p    *proc
	path string
}

// linePath returns the path of a line: that of an election or a lock, or of a semaphore's permits.
func (w *world) linePath(rng *rand.Rand) string {
	switch {
	case w.plan.Semaphores > 0:
		return semaphorePath(rng.Intn(w.plan.Semaphores)) + "/leases"
	case w.strikesLock(rng):
		return lockPath(rng.Intn(w.plan.Locks))
	}
	return electionPath(rng.Intn(w.plan.Elections))
}

// lineUp returns the line of an election or a lock, without those whose process has crashed.
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
