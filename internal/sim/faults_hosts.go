package sim

import (
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// hostFaults are those of the network between a process and the servers.
var hostFaults = map[string]begin{
	"hold host":           holdHost(),
	"hold host to server": holdHost(zktest.ToServer),
	"hold host to client": holdHost(zktest.ToClient),
	"cut host": onProcess(func(_ *world, p *proc, _ *rand.Rand) (end func()) {
		p.host.Cut()
		return nil
	}),
	"delay host": onProcess(func(w *world, p *proc, rng *rand.Rand) (end func()) {
		dirs := [][]zktest.Direction{{zktest.ToServer, zktest.ToClient}, {zktest.ToClient}, {zktest.ToServer}}[rng.Intn(3)]
		p.host.Delay(time.Duration(rng.Int63n(int64(w.plan.Timeout/4))), dirs...)
		return p.heal
	}),
	"black hole": onProcess(func(_ *world, p *proc, _ *rand.Rand) (end func()) {
		p.host.Drop()
		return func() { p.host.Cut(); p.heal() } // no TCP connection survives a lost frame
	}),
}

func holdHost(dirs ...zktest.Direction) begin {
	return onProcess(func(_ *world, p *proc, _ *rand.Rand) (end func()) {
		p.host.Hold(dirs...)
		return p.heal
	})
}

// heal ends the faults of the process's network. It does nothing while the process is stopped:
// nothing may reach it or leave it then.
func (p *proc) heal() {
	if !p.crashed.Load() && !p.clock.paused() {
		p.host.Heal()
	}
}
