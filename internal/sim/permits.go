package sim

import (
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// permits is what the checker knows of one semaphore.
type permits struct {
	resized  bool                 // its size changes
	sizes    []sized              // that it has had, the last one now
	held     []*permitRecord      // those that may still matter
	tokens   map[int]int64        // the largest of each slot
	line     line                 // its znodes
	waiting  map[string]*znode    // the place in the line of those who ask for a permit, by ID
	resizes  map[string]*resizing // by ID
	acquired int
}

type permitRecord struct {
	holding
	permit *semaphore.Permit
}

func newPermits(size int, resized bool) *permits {
	return &permits{
		resized: resized, sizes: []sized{{time.Now(), size}}, tokens: map[int]int64{},
		line: newLine(0), waiting: map[string]*znode{}, resizes: map[string]*resizing{},
	}
}

// isResized reports whether the size of a semaphore changes.
func (c *checker) isResized(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.semaphores[dir].resized
}

// isMutex reports whether a semaphore has one permit, and never had more.
func (c *checker) isMutex(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.semaphores[dir]
	return !s.resized && s.sizes[0].size == 1
}

// permitBegan is called first thing when a permit is held; asked is when it was asked for. A
// permit's Valid goes from true to false once, so looking at all whenever one begins finds every
// instant with too many.
func (c *checker) permitBegan(p *proc, dir, id string, permit *semaphore.Permit, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun(p)
	s := c.semaphores[dir]
	s.acquired++
	c.log("%s holds %d of %s by %s, lease %v, slots %v", id, permit.N(), dir, permit.Node(), permit.Remaining(), numbers(permit))
	r := &permitRecord{holding{proc: p, id: id, node: permit.Node()}, permit}
	s.held = append(s.held, r)
	c.endsWith(&r.holding, permit.Context())
	for _, slot := range permit.Slots() {
		if before := s.tokens[slot.Number()]; slot.Token() <= before && !c.line.excused(permit.Node()) {
			c.violate("token", "%s holds slot %d of %s with token %d after %d", id, slot.Number(), dir, slot.Token(), before)
		}
		s.tokens[slot.Number()] = max(s.tokens[slot.Number()], slot.Token())
	}
	counted, who := c.countPermits(dir)
	window := c.window()
	if n := s.line.at(permit.Node()); n != nil { // it may be older than the reduction, and than younger permits that are held
		window = max(window, time.Since(n.since))
	}
	if limit := s.limit(window); counted > limit && counts(permit) && !c.line.excused(permit.Node()) {
		c.violate("overlap", "%s has a permit of %s, and %d are valid or drained, of %d: those of %v", id, dir, counted, limit, who)
	}
	c.inOrder(s, dir, id, permit, asked)
}

// counts reports whether a permit is valid or drained.
func counts(permit *semaphore.Permit) bool {
	return permit.Valid() || permit.DrainContext().Err() == nil
}

func numbers(permit *semaphore.Permit) (all []int) {
	for _, slot := range permit.Slots() {
		all = append(all, slot.Number())
	}
	return all
}

// countPermits looks at all permits of a semaphore at this instant, and counts those that are valid
// or drained.
func (c *checker) countPermits(dir string) (counted int, who []string) {
	s, slots := c.semaphores[dir], map[int]string{}
	for _, r := range s.held {
		v := r.permit.Valid()
		switch {
		case v && r.over:
			c.violate("overlap", "the permit %s of %s is valid again", r.node, r.id)
		case !v && !closed(r.permit.Context().Done()) && !r.proc.clock.excused(c.lease):
			c.violate("context", "the permit %s of %s is over, and its context is not cancelled", r.node, r.id)
		}
		r.over = !v
		if !v && r.permit.DrainContext().Err() != nil || c.line.excused(r.node) {
			continue // nobody counts it any more
		}
		counted, who = counted+r.permit.N(), append(who, r.id)
		for _, n := range numbers(r.permit) {
			if other, taken := slots[n]; taken {
				c.violate("slot", "%s and %s hold slot %d of %s", other, r.id, n, dir)
			}
			slots[n] = r.id
		}
	}
	return counted, who
}

// lookAtPermits is called now and then while work goes on.
func (c *checker) lookAtPermits(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countPermits(dir)
}

// permitStopped is called when the work under a permit has stopped.
func (c *checker) permitStopped(dir string, permit *semaphore.Permit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.semaphores[dir].held {
		r.stopped = r.stopped || r.permit == permit
	}
}

// permitReleased is called when the holder of a permit has released it.
func (c *checker) permitReleased(dir string, permit *semaphore.Permit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.semaphores[dir]
	if permit.Valid() {
		c.violate("overlap", "the permit %s is valid though it was released", permit.Node())
	}
	for i, r := range s.held {
		if r.permit == permit {
			s.held = append(s.held[:i:i], s.held[i+1:]...)
			return
		}
	}
}

// permitsResumed is called when a process was paused, before any of its timers fires.
func (c *checker) permitsResumed(p *proc) {
	for dir, s := range c.semaphores {
		c.countPermits(dir)
		for _, r := range s.held {
			if r.proc == p && r.permit.Remaining() <= 0 && (r.permit.Valid() || r.permit.Context().Err() == nil) {
				c.violate("pause", "%s finds its permit of %s valid after the pause", r.id, dir)
			}
		}
	}
}

// permitChanged sees each change below the path of a semaphore, with all of its transaction.
func (c *checker) permitChanged(ch zktest.Change, commit zktest.Commit) {
	c.log("zxid 0x%x: %v %s", commit.Zxid, ch.Op, ch.Path)
	s := c.semaphores[ch.Path[:strings.LastIndexByte(ch.Path, '/')]]
	if s != nil && strings.HasSuffix(ch.Path, "/leases") && ch.Op != zktest.OpDelete {
		c.recordWritten(s, ch, commit.Changes)
		return
	}
	s = c.semaphores[path.Dir(path.Dir(ch.Path))]
	if s == nil {
		return
	}
	switch ch.Op {
	case zktest.OpCreate:
		c.placeTaken(s, ch, commit.Zxid)
	case zktest.OpDelete:
		if commit.Op != zktest.OpCloseSession && commit.Session == s.line.owner(ch.Path) {
			for _, r := range s.held {
				if r.node == ch.Path {
					c.released(&r.holding)
				}
			}
		}
		s.line.deleted(ch.Path)
		c.line.deleted(ch.Path)
	}
}

// slotWritten is called when the holder of a slot has left its token.
func (c *checker) slotWritten(ch zktest.Change) {
	name, number, _ := strings.Cut(strings.TrimPrefix(ch.Path, "/slotwork/"), "-")
	token, _ := strconv.ParseInt(string(ch.Data), 10, 64)
	slot, _ := strconv.Atoi(number)
	if s := c.semaphores[semaphoreDir+name]; s != nil && token != 0 && token < s.tokens[slot] {
		c.violate("guard", "the holder of slot %d with token %d wrote after the one with %d began", slot, token, s.tokens[slot])
	}
}
