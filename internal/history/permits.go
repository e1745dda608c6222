package history

import (
	"cmp"
	"slices"
	"time"
)

// sizing is one Resize, or the size that a semaphore has at first. It may be carried out as soon as
// it is asked for, also if it never says so.
type sizing struct {
	size      int
	asked, at int64 // at: when it said that it was done
	done      bool
}

// sizeSince returns the largest size that a semaphore may have had at a time from since until to. A
// size counts until another Resize is done that was asked for when the size was known to be there.
func (c *checker) sizeSince(since, to int64) (size int) {
	for _, s := range c.sizings {
		over := slices.ContainsFunc(c.sizings, func(later *sizing) bool {
			return s.done && later.done && later != s && later.asked >= s.at && later.at < since
		})
		if s.asked <= to && !over {
			size = max(size, s.size)
		}
	}
	return size
}

// judgeSlots finds out how many permits there are for one that is held, and demands that there are
// its slots. A permit is created when it is waited for. It goes by the size that it reads after
// that, and by those which the younger permits have read that were admitted before it.
func (c *checker) judgeSlots(t *Term) {
	if t.Held == 0 {
		return
	}
	t.Permits = c.sizeSince(t.waiting, t.From)
	for _, n := range t.Slots {
		if n < 0 || n >= t.Permits {
			c.violate(t.From, Outside, "%s holds slot %d of %d", t.ID, n, t.Permits)
		}
	}
}

// judgePermits counts the permits at the moment when b begins: no more than there are. It is enough
// to count at each beginning. A permit counts, too, whose holder tells nothing more but had claimed
// a lease that runs still. Those that b excludes are judged already.
func (c *checker) judgePermits(before []*Term, b *Term) {
	if b.Held == 0 {
		return
	}
	valid, running := []*Term{b}, []time.Duration(nil)
	held, leased := b.Held, 0
	for _, a := range before {
		if a.excludes(b) {
			continue
		}
		if a.Token == b.Token {
			c.violate(b.From, TokenTwice, "%s and %s held permits with token %d", a.ID, b.ID, a.Token)
		}
		if a.To >= b.From {
			valid, held = append(valid, a), held+a.Held
		} else if early := c.early(a, b); early > 0 {
			running, leased = append(running, early), leased+a.Held
		}
	}
	switch over := held - b.Permits; {
	case over > 0:
		slices.SortFunc(valid, func(x, y *Term) int { return cmp.Compare(x.To, y.To) })
		i := 0
		for over -= valid[0].Held; over > 0; over -= valid[i].Held {
			i++
		}
		c.overlap(stretch{b.From, valid[i].To}, "%s (token %d) and %d others held %d permits of %d",
			b.ID, b.Token, len(valid)-1, held, b.Permits)
	case held+leased > b.Permits:
		c.violate(b.From, LeaseOutlive, "%s held a permit of %d with token %d when %d were held, "+
			"and the leases of %d more ran, one for %v",
			b.ID, b.Permits, b.Token, held, leased, slices.Min(running))
	}
}
