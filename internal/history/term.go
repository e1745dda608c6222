package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Term is what lines tell of one term, or of one time that a contender held a lock or a permit.
type Term struct {
	ID       string
	Token    int64
	Node     string
	From, To int64  // proven to be valid from and to: "elected" and the last beat
	Deadline int64  // the latest end of a lease that was claimed
	Beats    int    // 0: nothing is proven
	Reason   string // that the candidate gave for its end
	Path     string // of the lock; what is held at two paths is judged for each
	Reader   bool   // another reader may hold at the same time
	Held     int    // how many permits; 0: it is no semaphore
	Permits  int    // how many there are, as far as this one can know
	Slots    []int  // of the permits: other slots may be held at the same time

	asked   bool  // it was told to resign: it may be killed before it says so
	waiting int64 // since when a permit was waited for
	told    int64 // when the candidate said that it was over
}

// excludes reports whether the two, of which the other is the later one, must not be valid at one
// time. Permits without slots are counted instead, see judgePermits.
func (t *Term) excludes(other *Term) bool {
	switch {
	case t.Path != other.Path:
		return false
	case len(t.Slots) > 0 && len(other.Slots) > 0:
		return slices.ContainsFunc(t.Slots, func(n int) bool { return slices.Contains(other.Slots, n) })
	case t.Held > 0 && other.Held > 0:
		return other.Permits == 1
	}
	return !t.Reader || !other.Reader
}

// stretch is a part of a term's proven interval.
type stretch struct{ from, to int64 }

// without returns what remains of it outside of another one.
func (s stretch) without(x stretch) (rest []stretch) {
	if x.to < s.from || s.to < x.from {
		return []stretch{s}
	}
	if s.from < x.from {
		rest = append(rest, stretch{s.from, x.from})
	}
	if x.to < s.to {
		rest = append(rest, stretch{x.to, s.to})
	}
	return rest
}

// excused returns the stretches in which the deletion of the path excuses much.
func (c *checker) excused() (all []stretch) {
	for _, e := range c.erased {
		all = append(all, stretch{e.from, e.to + c.lease})
	}
	return all
}

// beganErased reports whether a term began when a candidate of the path that was deleted could
// still lead.
func (c *checker) beganErased(t *Term) bool {
	return slices.ContainsFunc(c.excused(), func(e stretch) bool { return t.From >= e.from && t.From <= e.to })
}

// judgeTerms compares every two terms that exclude each other.
func (c *checker) judgeTerms() {
	for _, t := range c.all {
		if t.Beats > 0 {
			c.Terms = append(c.Terms, t)
		}
		c.judgeSlots(t)
	}
	slices.SortStableFunc(c.Terms, func(a, b *Term) int { return cmp.Compare(a.From, b.From) })
	for j, b := range c.Terms {
		for _, a := range c.Terms[:j] {
			if !a.excludes(b) {
				continue
			}
			c.judgeTokens(a, b)
			c.judgeOverlap(a, b)
			c.judgeClaim(a, b)
		}
		c.judgePermits(c.Terms[:j], b)
		if j > 0 && b.From > c.opened && (c.closing == 0 || b.From < c.closing) {
			c.Changes++
			c.Gaps = append(c.Gaps, time.Duration(max(0, b.From-c.lastBefore(j))))
		}
	}
}

// lastBefore returns until when one of the first j terms was seen to lead.
func (c *checker) lastBefore(j int) (last int64) {
	for _, t := range c.Terms[:j] {
		last = max(last, t.To)
	}
	return last
}

func (c *checker) judgeTokens(a, b *Term) {
	switch {
	case a.ID == b.ID && a.Token == b.Token && !a.Reader && b.Reader: // it was downgraded
	case a.Token == b.Token:
		c.violate(b.From, TokenTwice, "%s and %s led with token %d", a.ID, b.ID, a.Token)
	case a.Token > b.Token && !c.beganErased(b):
		c.violate(b.From, TokenOrder, "%s led with token %d after %s with %d", b.ID, b.Token, a.ID, a.Token)
	}
}

func (c *checker) judgeOverlap(a, b *Term) {
	both := stretch{max(a.From, b.From), min(a.To, b.To)}
	if both.to < both.from { // equal counts: both were valid in that nanosecond
		return
	}
	c.overlap(both, "%s (token %d) and %s (token %d) both led", a.ID, a.Token, b.ID, b.Token)
}

// overlap tells of a stretch in which too many led, except for what is excused.
func (c *checker) overlap(s stretch, format string, args ...any) {
	c.Excused = max(c.Excused, time.Duration(s.to-s.from))
	parts := []stretch{s}
	for _, e := range c.excused() {
		var rest []stretch
		for _, part := range parts {
			rest = append(rest, part.without(e)...)
		}
		parts = rest
	}
	for _, part := range parts {
		long := time.Duration(part.to - part.from)
		c.Overlap = max(c.Overlap, long)
		c.violate(part.from, Overlap, "%s, for %v", fmt.Sprintf(format, args...), long)
	}
}

// chosen are the reasons for which a candidate gives up its leadership of its own will, and lets
// the next one lead at once.
var chosen = []string{"resigned", "released", "returned", "stopped", "panicked", "cancelled", "closed", "unhealthy"}

// nodeDeleted is the reason of one whose znode was deleted.
const nodeDeleted = "node deleted"

// stopBefore is the part of D by which a term ends before its lease does. From then on a candidate
// may let the next one lead.
const stopBefore = 16

// judgeClaim demands that b did not begin before the end that a had claimed. That is more than to
// ask for an overlap: a may have been stopped, or killed, and tell nothing of it.
func (c *checker) judgeClaim(a, b *Term) {
	if early := c.early(a, b); early > 0 {
		c.violate(b.From, LeaseOutlive, "%s led with token %d %v before the lease of %s with token %d ended",
			b.ID, b.Token, early, a.ID, a.Token)
	}
}

// early returns how long before the end that a had claimed b began. It is 0 if a let others lead,
// or was seen to lead beside b.
func (c *checker) early(a, b *Term) time.Duration {
	if a.asked || slices.Contains(chosen, a.Reason) || c.closing != 0 && b.From >= c.closing || c.beganErased(b) || a.To >= b.From {
		return 0
	}
	claim := a.Deadline
	if a.Reason == "lease expired" {
		claim -= c.lease / stopBefore
	}
	if a.Held > 1 && a.Reason == nodeDeleted {
		// One of several znodes. As soon as the work has stopped, the holder deletes the others,
		// and announces with them that all of its permits are over.
		claim = min(claim, a.told)
	}
	return time.Duration(max(0, claim-b.From))
}
