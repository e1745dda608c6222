package sim

import (
	"fmt"
	"path"
	"strings"
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

// checkLines demands, when faults are long over, that each znode in a line is of a process that
// lives, and that a process has no more znodes in a line than candidates.
func (w *world) checkLines() {
	sessions := w.sessions()
	places := map[*proc]map[string]int{}
	for _, n := range w.ens.Nodes() {
		if !strings.Contains(n.Path, "latch-") {
			continue
		}
		p := sessions[n.Stat.EphemeralOwner]
		if p == nil {
			var states []string
			for _, p := range w.procs {
				states = append(states, fmt.Sprintf("%s 0x%x, crashed %v", p.name, sessionID(p), p.crashed.Load()))
			}
			w.check.report("census", "znode %s of session 0x%x, zxid 0x%x, belongs to nobody; processes: %v", n.Path, n.Stat.EphemeralOwner, n.Stat.Czxid, states)
			continue
		}
		if places[p] == nil {
			places[p] = map[string]int{}
		}
		dir := path.Dir(n.Path)
		places[p][dir]++
		if extra := places[p][dir] - p.candidates[dir]; extra > 0 {
			w.check.report("census", "%s has %d znodes in %s more than candidates", p.name, extra, dir)
		}
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
		if !strings.Contains(x.Path, "latch-") || p == nil || p.observes[dir] || owners[x.Path] == x.Session {
			continue
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
