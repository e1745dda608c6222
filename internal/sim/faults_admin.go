package sim

import (
	"bytes"
	"cmp"
	"context"
	"math/rand"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// adminFaults are znodes that an administrator deletes, or whose data he overwrites.
var adminFaults = map[string]begin{
	"admin deletes candidate":                    ifAlive(endless((*world).adminDeletesCandidate)),
	"admin deletes leader":                       ifAlive(endless((*world).adminDeletesLeader)),
	"admin deletes a leader that is cut off":     ifAlive(endless((*world).adminDeletesLeaderCutOff)),
	"admin deletes path":                         ifAlive(endless((*world).adminDeletesPath)),
	"admin overwrites record":                    ifAlive(endless((*world).adminOverwritesRecord)),
	"admin overwrites record and deletes leader": ifAlive(endless((*world).adminOverwritesRecordAndDeletesLeader)),
}

// asAdmin calls f with the administrator's session. No fault of a client's host concerns it. The
// context ends after d.
func (w *world) asAdmin(d time.Duration, f func(ctx context.Context, s *session.Session)) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if s, err := w.admin.Session(ctx); err == nil {
		f(ctx, s)
	}
}

func (w *world) adminDeletes(ctx context.Context, s *session.Session, node string) {
	w.check.logf("admin deletes %s", node)
	s.Delete(ctx, node, -1)
}

// inLine chooses an election, a lock or a semaphore, and returns what stands below its path.
func (w *world) inLine(ctx context.Context, s *session.Session, rng *rand.Rand) (path string, nodes []string) {
	switch {
	case w.plan.Semaphores > 0:
		path = semaphorePath(rng.Intn(w.plan.Semaphores))
		return path, w.permitNodes(path)
	case w.strikesLock(rng):
		path = lockPath(rng.Intn(w.plan.Locks))
	default:
		path = electionPath(rng.Intn(w.plan.Elections))
	}
	names, _, _ := s.Children(ctx, path) // none after an error
	for _, n := range names {
		nodes = append(nodes, path+"/"+n)
	}
	return path, nodes
}

// adminDeletesCandidate deletes any znode of a line.
func (w *world) adminDeletesCandidate(rng *rand.Rand) {
	w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) {
		if _, nodes := w.inLine(ctx, s, rng); len(nodes) > 0 {
			w.adminDeletes(ctx, s, nodes[rng.Intn(len(nodes))])
		}
	})
}

// adminDeletesLeader deletes a leader's znode. While nobody leads, any znode of the election will
// do.
func (w *world) adminDeletesLeader(rng *rand.Rand) {
	w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) {
		path, nodes := w.inLine(ctx, s, rng)
		node := cmp.Or(w.check.nodeOfHolder(path), w.locks.nodeOfHolder(path))
		if node == "" && w.plan.Semaphores == 0 && len(nodes) > 0 {
			node = nodes[0]
		}
		if node != "" {
			w.adminDeletes(ctx, s, node)
		}
	})
}

// adminDeletesLeaderCutOff deletes the znode of a leader that does not hear of it.
func (w *world) adminDeletesLeaderCutOff(rng *rand.Rand) {
	if leader := w.holdWhileItLeads(rng); leader != nil {
		w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) { w.adminDeletes(ctx, s, leader.Node()) })
	}
}

// adminDeletesPath deletes a path with everything below it, the line's record included.
func (w *world) adminDeletesPath(rng *rand.Rand) {
	w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) {
		path, nodes := w.inLine(ctx, s, rng)
		if w.plan.Locks > 0 && strings.HasPrefix(path, lockDir) {
			w.adminDeletesLock(ctx, s, path, nodes)
			return
		}
		defer w.check.forget(path)()
		switch {
		case w.plan.Semaphores > 0:
			w.registers.at(path).expel()
			for _, node := range nodes {
				w.check.doom(node)
			}
			for _, node := range append(nodes, path+"/leases", path+"/locks") {
				w.adminDeletes(ctx, s, node)
			}
		case len(nodes) > 0:
			for _, node := range nodes {
				w.check.doom(node)
				s.Delete(ctx, node, -1)
			}
			s.Delete(ctx, path, -1)
		}
	})
}

// adminDeletesLock deletes a lock's path and its nodes. The path stays if somebody joins meanwhile.
func (w *world) adminDeletesLock(ctx context.Context, s *session.Session, path string, nodes []string) {
	if len(nodes) == 0 {
		return
	}
	w.checkRegister(path) // what comes after this is not judged
	forgotten := w.locks.forget(path, nodes)
	for _, node := range nodes {
		w.adminDeletes(ctx, s, node)
	}
	w.check.logf("admin deletes %s", path)
	deleted := session.OutcomeOf(s.Delete(ctx, path, -1)) != session.OutcomeNotDone
	if deleted {
		w.registers.at(path).expel()
	}
	forgotten(deleted)
}

// recordMayBeLost reports whether the record of a line may be lost without harm. Who knows no
// record waits for the default lease, so no lease may be longer. Plans have longer ones only by
// flags. A semaphore without its record gives no permits, because its size stands there, too.
func (w *world) recordMayBeLost() bool {
	return w.plan.Semaphores == 0 && w.plan.Lease <= session.DefaultLease
}

// adminOverwritesRecord writes other data in place of a line's record. The path and those who stand
// there stay. Unlike the deletion of a path, this excuses nobody.
func (w *world) adminOverwritesRecord(rng *rand.Rand) {
	if !w.recordMayBeLost() {
		return
	}
	w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) {
		path, _ := w.inLine(ctx, s, rng)
		w.overwrite(ctx, s, path, rng)
	})
}

// adminOverwritesRecordAndDeletesLeader also deletes the leader's znode, of which the leader often
// does not hear. Sometimes it deletes all others, too. Then those who come next find neither the
// one who led nor the record.
func (w *world) adminOverwritesRecordAndDeletesLeader(rng *rand.Rand) {
	if !w.recordMayBeLost() {
		return
	}
	var leader tenure
	if rng.Intn(4) > 0 {
		leader = w.holdWhileItLeads(rng)
	} else {
		_, leader = w.holder(rng)
	}
	if leader == nil {
		return
	}
	w.asAdmin(w.plan.Timeout, func(ctx context.Context, s *session.Session) {
		dir := path.Dir(leader.Node())
		w.overwrite(ctx, s, dir, rng)
		w.adminDeletes(ctx, s, leader.Node())
		if rng.Intn(2) == 0 {
			names, _, _ := s.Children(ctx, dir) // none after an error
			for _, n := range names {
				w.adminDeletes(ctx, s, dir+"/"+n)
			}
		}
	})
}

func (w *world) overwrite(ctx context.Context, s *session.Session, path string, rng *rand.Rand) {
	record, _, err := s.Get(ctx, path)
	if err != nil {
		return
	}
	data := insteadOf(record, rng)
	w.check.logf("admin overwrites %q of %s: %q", record, path, data)
	s.Set(ctx, path, data, -1)
}

// insteadOf returns what an administrator writes in place of a record.
func insteadOf(record []byte, rng *rand.Rand) []byte {
	switch rng.Intn(5) {
	case 0:
		return nil
	case 1:
		return []byte("the billing team's, do not touch")
	case 2: // only its lease can still be read
		return append(record[:len(record):len(record)], "and more\n"...)
	case 3: // without one of its lines
		lines := slices.Collect(bytes.Lines(record))
		if len(lines) == 0 {
			return nil
		}
		i := rng.Intn(len(lines))
		return bytes.Join(slices.Delete(lines, i, i+1), nil)
	default: // cut short
		return record[:rng.Intn(len(record)+1)]
	}
}

// nodeOfHolder returns the znode of a valid term of an election, or of a valid permit of a
// semaphore, or "".
func (c *checker) nodeOfHolder(path string) (node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.semaphores[path]; r != nil {
		for _, h := range r.held {
			if h.permit.Valid() {
				node = h.permit.Node()
			}
		}
		return node
	}
	if r := c.elections[path]; r != nil {
		for _, t := range r.terms {
			if t.term.Valid() {
				node = t.term.Node()
			}
		}
	}
	return node
}
