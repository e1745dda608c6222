package history

import (
	"cmp"
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
	Reader   bool   // another reader may hold at the same time
	Slot     *int   // of a permit: another slot may be held at the same time

	asked bool // it was told to resign: it may be killed before it says so
}

// excludes reports whether the two must not be valid at one time.
func (t *Term) excludes(other *Term) bool {
	if t.Slot != nil && other.Slot != nil {
		return *t.Slot == *other.Slot
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
	c.Excused = max(c.Excused, time.Duration(both.to-both.from))
	parts := []stretch{both}
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
		c.violate(part.from, Overlap, "%s (token %d) and %s (token %d) both led, for %v", a.ID, a.Token, b.ID, b.Token, long)
	}
}

// chosen are the reasons for which a candidate gives up its leadership of its own will, and lets
// the next one lead at once.
var chosen = []string{"resigned", "released", "returned", "stopped", "panicked", "cancelled", "closed", "unhealthy"}

// stopBefore is the part of D by which a term ends before its lease does. From then on a candidate
// may let the next one lead.
const stopBefore = 16

// judgeClaim demands that b did not begin before the end that a had claimed. That is more than to
// ask for an overlap: a may have been stopped, or killed, and tell nothing of it.
func (c *checker) judgeClaim(a, b *Term) {
	if a.asked || slices.Contains(chosen, a.Reason) || c.closing != 0 && b.From >= c.closing || c.beganErased(b) || a.To >= b.From {
		return
	}
	claim := a.Deadline
	if a.Reason == "lease expired" {
		claim -= c.lease / stopBefore
	}
	if early := claim - b.From; early > 0 {
		c.violate(b.From, LeaseOutlive, "%s led with token %d %v before the lease of %s with token %d ended",
			b.ID, b.Token, time.Duration(early), a.ID, a.Token)
	}
}
