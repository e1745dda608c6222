package sim

import (
	"path"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The order of locks and permits is judged by the znodes that exist. One that gives up, or whose
// znode is deleted or goes with its session, has lost its place, and nobody has to wait for it.
// This finds those who are overtaken and never get what they wait for, which tokens do not tell.
//
// A semaphore has two lines. Those who wait stand in the one at locks; the first of them creates a
// permit at leases, where it stands until it is admitted. One who comes when nobody waits creates a
// permit at once.

// inOrder is called when a lock is held. Nothing is excused. A takeover deletes the znode of the
// silent contender, so the new holder has not passed a znode of a dead session. The deletion of a
// path deletes all znodes in it. The znode of the holder itself may be gone.
func (c *lockChecker) inOrder(h *heldRecord, path string) {
	own := c.places.all[birth{h.Node(), h.Token()}]
	if own == nil {
		c.report("token", "%s holds %s with token %d, and %s never had that",
			h.id, path, h.Token(), h.Node())
		return
	}
	for _, n := range c.places.before(own) {
		if !h.shared || !n.shared() {
			c.report("order", "%s holds %s, shared %v, by %s before %s of %s does, which is there since %v",
				h.id, path, h.shared, h.Node(), n.path, n.id, n.since.Sub(c.begin))
			return
		}
	}
}

// placeChanged follows the places in the line of a lock.
func (c *lockChecker) placeChanged(ch zktest.Change, zxid int64) {
	switch ch.Op {
	case zktest.OpCreate:
		c.places.created(ch, zxid)
	case zktest.OpDelete:
		c.places.deleted(ch.Path)
	}
}

// asks is called when a use begins to ask for a permit.
func (c *checker) asks(dir, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.semaphores[dir].waiting, id)
}

// stoodInLine follows what a use that asks for a permit tells of its place in the line.
func (c *checker) stoodInLine(dir, id string, ev semaphore.Event) {
	if path.Dir(ev.Node) != dir+"/locks" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.semaphores[dir]
	switch ev.Kind {
	case semaphore.EventJoined:
		if n := s.line.at(ev.Node); n != nil {
			s.waiting[id] = n
		}
	case semaphore.EventLeft:
		if n := s.waiting[id]; n != nil && n.path == ev.Node {
			delete(s.waiting, id)
		}
	}
}

// placeTaken is called when a znode of a semaphore is created. If one who has waited creates its
// permit, nobody who came before it may stand in the line.
func (c *checker) placeTaken(s *permits, ch zktest.Change, zxid int64) {
	s.line.created(ch, zxid)
	dir, kind := path.Split(path.Dir(ch.Path))
	if kind != "leases" {
		return
	}
	id, _, _ := strings.Cut(string(ch.Data), "\n")
	own := s.waiting[id]
	if own == nil {
		return
	}
	if before := s.line.before(own); len(before) > 0 {
		c.violate("order", "%s of %s leaves the line of %s before %s of %s does", own.path, id, dir, before[0].path, before[0].id)
	}
}

// inOrder is called when a permit is held. The older permits that exist count before it, whether
// they are held or wait. In a run without faults it also finds those who have come without waiting,
// though others have waited for long.
func (c *checker) inOrder(s *permits, dir, id string, permit *semaphore.Permit, asked time.Time) {
	limit, before := s.limit(c.window()), len(s.line.before(s.line.at(permit.Node())))
	if before+permit.N() > limit {
		c.violate("order", "%s has %d of %s, of %d, with %d before it", id, permit.N(), dir, limit, before)
	}
	if !c.undisturbed || s.waiting[id] != nil {
		return
	}
	for _, n := range s.line.now[dir+"/locks"] {
		if n.id != id && asked.Sub(n.since) > time.Second {
			c.violate("order", "%s has a permit of %s, and has not waited; %s of %s has waited since %v", id, dir, n.path, n.id, n.since.Sub(c.begin))
		}
	}
}
