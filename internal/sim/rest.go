package sim

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// sessions returns which process each session belongs to.
func (w *world) sessions() map[int64]*proc {
	all := map[int64]*proc{}
	for _, p := range w.procs {
		if !p.crashed.Load() {
			all[sessionID(p)] = p
		}
	}
	return all
}

// checkPlaces demands, when faults are long over, that each place in a line is of a process that
// lives, and that a process has no more places in a line than it needs. What it finds counts if it
// is there still when a session that ended just now is gone: where D is short and messages are
// slow, sessions are revoked without a fault, too.
func (w *world) checkPlaces() {
	found := w.strays()
	if len(found) == 0 {
		return
	}
	time.Sleep(2*w.plan.Timeout + 2*tick)
	still := w.strays()
	for _, stray := range found {
		if slices.Contains(still, stray) {
			w.check.report("census", "%s", stray)
		}
	}
}

// strays tells of each place that belongs to nobody, and of each process with too many places.
func (w *world) strays() (found []string) {
	type standing struct {
		p   *proc
		dir string
	}
	sessions, places := w.sessions(), map[standing]int{}
	for _, n := range w.ens.Nodes() {
		if !isPlace(n) {
			continue
		}
		p := sessions[n.Stat.EphemeralOwner]
		if p == nil {
			found = append(found, fmt.Sprintf("znode %s of session 0x%x belongs to nobody", n.Path, n.Stat.EphemeralOwner))
			continue
		}
		places[standing{p, path.Dir(n.Path)}]++
	}
	for s, n := range places {
		if most := w.mostPlaces(s.p, s.dir); n > most {
			found = append(found, fmt.Sprintf("%s has more znodes in %s than the %d that it needs", s.p.name, s.dir, most))
		}
	}
	slices.Sort(found)
	return found
}

// isPlace reports whether a znode is a place in the line of an election, a lock or a semaphore.
func isPlace(n zktest.Node) bool {
	return strings.Contains(n.Path, "latch-") || isContender(n.Path) || isPermit(n)
}

// mostPlaces returns how many places a process needs in a line.
func (w *world) mostPlaces(p *proc, dir string) int {
	switch kind := path.Base(dir); {
	case strings.HasPrefix(dir, lockDir):
		return w.plan.Locks + 1
	case !strings.HasPrefix(dir, semaphoreDir):
		return p.candidates[dir]
	case kind == "leases": // each use may want all permits
		return mostUses * largestSize
	default:
		return mostUses
	}
}

// checkWatches demands that at most one candidate of another process would be woken by the deletion
// of any znode. It counts only while no fault has left a watch behind that its owner no longer
// needs.
func (w *world) checkWatches() {
	sessions, owners := w.sessions(), map[string]int64{}
	for _, n := range w.ens.Nodes() {
		owners[n.Path] = n.Stat.EphemeralOwner
	}
	others := map[string]int{}
	for _, x := range w.ens.Watches() {
		p, dir := sessions[x.Session], path.Dir(x.Path)
		owner, there := owners[x.Path]
		if !strings.Contains(x.Path, "latch-") || p == nil || p.observes[dir] || owner == x.Session {
			continue
		}
		if !there && strings.HasPrefix(x.Path, "/e/") {
			continue // it has just gone, and the watches are on servers that lag: one may be its owner's
		}
		if others[x.Path]++; others[x.Path] > 1 {
			w.check.report("wake-ups", "%d candidates would be woken by the end of %s", others[x.Path], x.Path)
		}
	}
}

// checkEvents demands, after a run without faults, that each deleted znode has been told to its
// owner and to the one behind it, and each change of leaders to the observers.
func (w *world) checkEvents() {
	w.check.mu.Lock()
	defer w.check.mu.Unlock()
	bound := 0
	for n := range w.plan.Elections {
		dir, observers := electionPath(n), 0
		for _, p := range w.procs {
			if p.observes[dir] {
				observers++
			}
		}
		bound += w.check.line.gone[dir]*(2+observers) + w.check.line.come[dir]*observers
	}
	if events := w.ens.Counts().Events; events > bound {
		w.check.violate("wake-ups", "%d watch events where %d are needed at most", events, bound)
	}
}
