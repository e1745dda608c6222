package sim

import (
	"fmt"
	"math/rand"
)

// processFaults stop a process, for a while or for good.
var processFaults = map[string]begin{
	"pause process":    onProcess(pauseProcess),
	"pause the leader": ifAlive(onLeader(pauseProcess)),
	"suspend host":     onProcess(func(w *world, p *proc, _ *rand.Rand) (end func()) { return w.pause(p, true) }),
	"crash process":    onProcess(crashProcess),
	"crash the leader": ifAlive(onLeader(crashProcess)),
}

func pauseProcess(w *world, p *proc, _ *rand.Rand) (end func()) { return w.pause(p, false) }

func crashProcess(w *world, p *proc, rng *rand.Rand) (end func()) { return w.crash(p, rng.Int63()) }

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
