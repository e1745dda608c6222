package sim

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Each process resizes some of the semaphores now and then. The checker reads the size from what is
// written.

// resizing is one call of Resize.
type resizing struct {
	size    int
	returns bool
	outcome session.Outcome // when it has returned
	done    int             // how often it was carried out since the path was made
}

// sized is a size, and since when it holds.
type sized struct {
	since time.Time
	size  int
}

// resize changes the size again and again, until ctx ends. Each call has an ID of its own, so that
// the checker knows which one has changed the size.
func (u *use) resize(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		u.p.rest(ctx, u.rng, time.Minute)
		cfg, size := u.cfg, 1+u.rng.Intn(largestSize)
		cfg.ID = fmt.Sprintf("%s resizes %d", u.id, i)
		sem := must(semaphore.New(u.p.client, u.dir, 0, cfg))
		patience := 30 * time.Second
		if u.rng.Intn(3) == 0 {
			patience = 30 * u.p.w.plan.Latency // so that it often gives up before the answer
		}
		bounded, cancel := u.p.within(ctx, u.rng, patience)
		resized := u.p.w.check.resizes(u.dir, cfg.ID, size)
		resized(sem.Resize(bounded, size))
		cancel()
	}
}

// resizes is called when a Resize begins, and the function that it returns when that has returned.
func (c *checker) resizes(dir, id string, size int) (resized func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, r, begun := c.semaphores[dir], &resizing{size: size}, time.Now()
	s.resizes[id] = r
	return func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.returns, r.outcome = true, session.OutcomeOf(err)
		c.log("%s to %d: %v", id, size, err)
		switch {
		case err == nil && !s.had(size, begun):
			c.violate("resize", "%s of %s to %d has succeeded, and the size was never that", id, dir, size)
		case r.outcome == session.OutcomeNotDone && r.done > 0:
			c.violate("resize", "%s of %s to %d was carried out, and calls that not done: %v", id, dir, size, err)
		}
	}
}

var sizeLine = regexp.MustCompile(`(?m)^size (\d+)$`)

// recordWritten is called when the record of a semaphore is written, with all changes of the same
// transaction. One that changes the size also deletes the znode of the Resize that it is of.
func (c *checker) recordWritten(s *permits, ch zktest.Change, changes []zktest.Change) {
	m := sizeLine.FindSubmatch(ch.Data)
	if m == nil {
		return
	}
	size, _ := strconv.Atoi(string(m[1]))
	last := s.sizes[len(s.sizes)-1].size
	if size != last {
		s.sizes = append(s.sizes, sized{time.Now(), size})
	}
	if ch.Op == zktest.OpCreate { // the path was deleted, and is made again
		for _, r := range s.resizes {
			r.done = 0
		}
		return
	}
	if size == last {
		return
	}
	id := ""
	for _, other := range changes {
		if n := s.line.at(other.Path); n != nil && other.Op == zktest.OpDelete {
			id = n.id
		}
	}
	switch r := s.resizes[id]; {
	case r == nil:
		c.violate("resize", "%q makes the size of %s %d in place of %d, and does not resize", id, path.Dir(ch.Path), size, last)
	case r.size != size || r.done > 0 || r.returns && r.outcome == session.OutcomeNotDone:
		c.violate("resize", "%s of %s makes the size %d in place of %d: %+v", id, path.Dir(ch.Path), size, last, *r)
	default:
		r.done++
	}
}

// had reports whether a size has held at some time since then.
func (s *permits) had(size int, since time.Time) bool {
	for i, at := range s.sizes {
		if at.size == size && (i+1 == len(s.sizes) || !s.sizes[i+1].since.Before(since)) {
			return true
		}
	}
	return false
}

// limit is the largest size that has held within d.
func (s *permits) limit(d time.Duration) (size int) {
	for i, at := range s.sizes {
		if i+1 == len(s.sizes) || time.Since(s.sizes[i+1].since) <= d {
			size = max(size, at.size)
		}
	}
	return size
}

// window is how long after a reduction an Acquire may still go by the former size: for a lease, by
// the slowest clock.
func (c *checker) window() time.Duration { return time.Duration(float64(c.lease) / slowest) }
