package history

import "strings"

// A place in a line is a znode, and its number is larger than that of each place that was taken
// before. Order means
//
//	for a writer      nobody who came before it waits or holds when it gets the lock
//	for a reader      no writer does; readers may pass one another
//	for a permit      it and all older permits, held or waited for, are not more than there are
//	for one in the    nobody who came before it stands there when it leaves that line for a permit
//	semaphore's line
//
// Tokens tell a part of that. Of two who exclude each other, the later one must have the larger
// token (TokenOrder). So one who is overtaken is seen if it gets the lock later with the place that
// it had. What follows is about the others: those who are overtaken and have not got the lock
// before they die or give up, and permits.
//
// The proof is a znode b that has gone while an older znode a was there before and after that, as
// one server has shown it. A server shows all changes in one order. So a was there as long as b
// was. If the contender of b has got by b what it wanted, it has passed a. Nothing is excused: a
// znode that is deleted, or goes with its session, is not there any more. Two cases are not seen:
// that a has gone before b, or so soon after it that each server has shown both in one list.

// place is one in the line of a semaphore.
type place struct {
	id        string
	abandoned bool
	served    bool // its contender has got a permit since, with this place unless it abandoned that
}

// readStyle is in the names of readers of Curator's style, the only one in the campaign.
const readStyle = "__READ__"

// judgeOrder judges those whose znodes have gone while older ones stood there.
func (c *checker) judgeOrder() {
	told := map[string]bool{}
	for _, l := range c.gone {
		if told[l.Node] { // what another server has shown of it was enough
			continue
		}
		told[l.Node] = c.judgePassed(l)
	}
	c.judgeRanks()
}

// judgePassed reports whether the contender of a znode has got what older ones still waited for.
func (c *checker) judgePassed(l Line) bool {
	if p := c.places[l.Node]; p != nil && p.served && !p.abandoned {
		c.violate(l.T, Order, "%s has left the line for a permit, %s, before %q, which stood there",
			p.id, l.Node, l.Ahead)
		return true
	}
	t := c.held[l.Node]
	if t == nil {
		return false
	}
	var ahead []string
	for _, name := range l.Ahead {
		if !t.Reader || !strings.Contains(name, readStyle) {
			ahead = append(ahead, name)
		}
	}
	if n := len(ahead); n == 0 || n+t.Held <= t.Permits { // a lock has no permits: 0 of 0
		return false
	}
	c.violate(l.T, Order, "%s held %s with token %d, and %q stood before it until it was gone",
		t.ID, l.Node, t.Token, ahead)
	return true
}

// judgeRanks counts at the beginning of each permit those with smaller tokens that were held or
// waited for then. If none was waited for, judgePermits has judged it, and if there is only one
// permit, the tokens have. The token of a permit with a slot tells when it got the slot, and
// nothing of its rank.
func (c *checker) judgeRanks() {
	for _, b := range c.Terms {
		if b.Permits < 2 || len(b.Slots) > 0 || c.beganErased(b) {
			continue
		}
		n, waited := b.Held, false
		for _, a := range c.Terms {
			if a.Path == b.Path && len(a.Slots) == 0 && a.Token < b.Token && a.To >= b.From {
				n, waited = n+a.Held, waited || a.From > b.From
			}
		}
		if waited && n > b.Permits {
			c.violate(b.From, Order, "%s held %d permits of %d with token %d, and %d older ones counted",
				b.ID, b.Held, b.Permits, b.Token, n-b.Held)
		}
	}
}
