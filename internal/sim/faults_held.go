package sim

import (
	"context"
	"math/rand"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// heldFaults are followers that stand still with requests that they have read. Such a request may
// be carried out after later ones of its session.
var heldFaults = map[string]begin{
	"hold requests": func(w *world, rng *rand.Rand) (end func()) {
		followers := w.ens.Followers()
		if len(followers) == 0 {
			return nil
		}
		s := followers[rng.Intn(len(followers))]
		s.HoldRequests()
		return s.ReleaseRequests
	},
	"hold a create": ifAlive(endless((*world).holdCreate)),
}

// holdCreate deletes the znode of somebody in a line whose server holds requests from now on: among
// them is the create of the next znode. The process goes on at another server, and comes back after
// a while. Then the create is carried out late, unless it never arrives.
func (w *world) holdCreate(rng *rand.Rand) {
	line := w.lineUp(w.linePath(rng))
	if len(line) == 0 {
		return
	}
	at := line[rng.Intn(len(line))]
	away := time.Duration(rng.Int63n(int64(2 * w.plan.Lease)))
	back := time.Duration(rng.Int63n(int64(w.plan.Lease / 4)))
	w.atFollower(at.p, func(p *proc, _, follower *zktest.Server) {
		follower.HoldRequests()
		w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) { w.adminDeletes(ctx, s, at.path) })
		time.AfterFunc(w.plan.Lease/2+away, func() {
			free := w.confine(p, follower)
			w.await(func() bool {
				s := w.serverOf(p)
				return s != nil && s.ID() == follower.ID()
			}, func() { time.AfterFunc(back, follower.ReleaseRequests) })
			time.AfterFunc(4*w.plan.Timeout, func() {
				follower.ReleaseRequests()
				free()
			})
		})
	})
}
