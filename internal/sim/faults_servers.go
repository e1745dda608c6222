package sim

import (
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// longestDelay is of a slow server, or of a link.
const longestDelay = 300 * time.Millisecond

// serverFaults are those of servers and of the network between them.
var serverFaults = map[string]begin{
	"kill server": onServer(func(_ *world, s *zktest.Server, _ *rand.Rand) (end func()) {
		s.Kill()
		return func() { s.Start() }
	}),
	"freeze server": onServer(func(_ *world, s *zktest.Server, _ *rand.Rand) (end func()) {
		s.Freeze()
		return s.Thaw
	}),
	"slow server": onServer(func(_ *world, s *zktest.Server, rng *rand.Rand) (end func()) {
		s.Slow(time.Duration(rng.Int63n(int64(longestDelay))))
		return func() { s.Slow(0) }
	}),
	"isolate server": onServer(func(_ *world, s *zktest.Server, _ *rand.Rand) (end func()) {
		s.Isolate()
		return s.Rejoin
	}),
	"isolate zookeeper leader": onZooKeeperLeader(func(_ *world, leader *zktest.Server, _ *rand.Rand) (end func()) {
		leader.Isolate()
		return leader.Rejoin
	}),
	"restart all servers": func(w *world, _ *rand.Rand) (end func()) {
		for _, s := range w.ens.Servers() {
			s.Kill()
		}
		return func() {
			for _, s := range w.ens.Servers() {
				s.Start()
			}
		}
	},
	"cut link one way": func(w *world, rng *rand.Rand) (end func()) {
		l := w.link(rng)
		l.Hold()
		return l.Heal
	},
	"delay link": func(w *world, rng *rand.Rand) (end func()) {
		l := w.link(rng)
		l.Delay(time.Duration(rng.Int63n(int64(longestDelay))))
		return l.Heal
	},
	"late pings": func(w *world, rng *rand.Rand) (end func()) {
		w.delayPings(time.Duration(rng.Int63n(int64(w.plan.Timeout))))
		return func() { w.delayPings(0) }
	},
}

func (w *world) delayPings(d time.Duration) {
	for _, s := range w.ens.Servers() {
		s.DelayPings(d)
	}
}

// link returns one direction between two servers, every other time from the ZooKeeper leader.
func (w *world) link(rng *rand.Rand) *zktest.Link {
	a := w.server(rng)
	if leader := w.ens.Leader(); leader != nil && rng.Intn(2) == 0 {
		a = leader
	}
	return w.ens.Link(a, w.ens.Server(1+(a.ID()+rng.Intn(2))%3))
}
