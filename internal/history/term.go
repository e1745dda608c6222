package history

import (
	"cmp"
	"slices"
	"time"
)

// Term is what lines tell of one term.
type Term struct {
	ID       string
	Token    int64
	Node     string
	From, To int64  // proven to be valid from and to: "elected" and the last beat
	Deadline int64  // the latest end of a lease that was claimed
	Beats    int    // 0: nothing is proven
	Reason   string // that the candidate gave for its end
}

// stretch is a part of a term's proven interval.
type stretch struct{ from, to int64 }

// counted returns the proven interval without the part that an administrator's hand at expelled excuses.
func (t *Term) counted(expelled *stretch, timeout int64) []stretch {
	if expelled == nil {
		return []stretch{{t.From, t.To}}
	}
	var parts []stretch
	if until := min(t.To, expelled.from); t.From < until {
		parts = append(parts, stretch{t.From, until})
	}
	if from := max(t.From, expelled.to+timeout); from < t.To {
		parts = append(parts, stretch{from, t.To})
	}
	return parts
}

// judgeTerms compares every two terms.
func (c *checker) judgeTerms() {
	for _, t := range c.all {
		if t.Beats > 0 {
			c.Terms = append(c.Terms, t)
		}
	}
	slices.SortStableFunc(c.Terms, func(a, b *Term) int { return cmp.Compare(a.From, b.From) })
	for j, b := range c.Terms {
		for _, a := range c.Terms[:j] {
			c.judgeTokens(a, b)
			c.judgeOverlap(a, b)
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
	case a.Token > b.Token && !c.beganExpelled(b):
		c.violate(b.From, TokenOrder, "%s led with token %d after %s with %d", b.ID, b.Token, a.ID, a.Token)
	}
}

// beganExpelled reports whether a term began when its candidate had not heard yet that its znode had been deleted by
// hand.
func (c *checker) beganExpelled(t *Term) bool {
	e := c.expelled[t.Node]
	return e != nil && t.From >= e.from && t.From <= e.to+c.timeout
}

func (c *checker) judgeOverlap(a, b *Term) {
	c.Excused = max(c.Excused, time.Duration(min(a.To, b.To)-b.From))
	for _, x := range a.counted(c.expelled[a.Node], c.timeout) {
		for _, y := range b.counted(c.expelled[b.Node], c.timeout) {
			both := time.Duration(min(x.to, y.to) - max(x.from, y.from))
			if both < 0 { // 0 counts: both were valid in that nanosecond
				continue
			}
			c.Overlap = max(c.Overlap, both)
			c.violate(max(x.from, y.from), Overlap, "%s (token %d) and %s (token %d) both led, for %v",
				a.ID, a.Token, b.ID, b.Token, both)
		}
	}
}
