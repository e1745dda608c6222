package sim

import (
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// requestFaults are those of single requests, and of sessions that the servers end.
var requestFaults = map[string]begin{
	"lose reply":   hit(zktest.LoseReply),
	"lose request": hit(zktest.LoseRequest),
	"fail request": hit(zktest.Fail(zktest.CodeSessionMoved)),
	// An administrator can do that. Servers never do it by themselves.
	"expire session": onProcess(func(w *world, p *proc, _ *rand.Rand) (end func()) {
		w.expire(p)
		return nil
	}),
	// The process never learns what became of its last requests.
	"expire session unanswered": onProcess(func(w *world, p *proc, _ *rand.Rand) (end func()) {
		p.host.Drop(zktest.ToClient)
		time.AfterFunc(w.plan.Timeout/8, func() {
			w.expire(p)
			p.host.Cut()
			p.heal()
		})
		return nil
	}),
}

// hit is a fault of one of the next requests of some kind.
func hit(effect zktest.Effect) begin {
	ops := []zktest.Op{zktest.OpCreate, zktest.OpDelete, zktest.OpMulti, zktest.OpGetData, zktest.OpExists, zktest.OpGetChildren2, zktest.OpSync, zktest.OpConnect}
	return ifAlive(func(w *world, rng *rand.Rand) (end func()) {
		rule := w.ens.On(zktest.Match{Op: ops[rng.Intn(len(ops))], Nth: 1 + rng.Intn(3)}, effect)
		return rule.Remove
	})
}

func (w *world) expire(p *proc) {
	if id := sessionID(p); id != 0 {
		w.ens.ExpireSession(id)
	}
}
