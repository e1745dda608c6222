package history

import (
	"strings"
)

// Who came first is told by the znodes: a place in a line is a znode, and its number is larger than
// that of each place that was taken before. Order means
//
//	for a writer    nobody who came before it waits or holds when it gets the lock
//	for a reader    no writer does; readers may pass one another
//	for a permit    all older permits count before it, held or waited for, and it is within the size
//	for one that    nobody who came before it stands in that line when it leaves it for the permits
//	waits for one
//
// Tokens tell a part of that. Of two who exclude each other, the later one must have the larger
// token (TokenOrder). So one who is overtaken is seen if it gets the lock later with the place that
// it had. What follows is about the others: those who are overtaken and have not got the lock
// before they die or give up, and permits.
//
// The proof is a znode b that has gone while an older znode a was there before and after that, as
// one server has shown it. A server shows all changes in one order. So a was there as long as b
// was. If the contender of b has got by b what it wanted, it has passed a. Nothing is excused: a
// znode that is deleted, or goes with its session, is not there any more. So what this does not
// show is that b has passed an a that went before b, or so soon after b that each server has shown
// both in one list.

// turn is a place in the line of a semaphore.
type turn struct {
	id        string
	abandoned bool
	served    bool // its contender has got a permit since, with this place unless it abandoned that
}

// readStyle is in the names of readers.
const readStyle = "__READ__"

// judgeOrder judges those who have left while older ones stood there.
func (c *checker) judgeOrder() {
	told := map[string]bool{}
	for _, l := range c.left {
		if told[l.Node] { // by another server
			continue
		}
		told[l.Node] = true
		if t := c.turns[l.Node]; t != nil && t.served && !t.abandoned {
			c.violate(l.T, Order, "%s has left the line for a permit, %s, before %q, which stood there",
				t.id, l.Node, l.Ahead)
		}
		if t := c.held[l.Node]; t != nil {
			c.judgePassed(l, t)
		}
	}
	c.judgeRanks()
}

// judgePassed judges one who has held what older ones still waited for when it left.
func (c *checker) judgePassed(l Line, t *Term) {
	var ahead []string
	for _, name := range l.Ahead {
		if !t.Reader || !strings.Contains(name, readStyle) {
			ahead = append(ahead, name)
		}
	}
	if n := len(ahead); n > 0 && n+t.Held > t.Permits { // a lock has no permits: 0 of 0
		c.violate(l.T, Order, "%s held %s with token %d, and %q stood before it until it was gone",
			t.ID, l.Node, t.Token, ahead)
	}
}

// judgeRanks counts at the beginning of each permit those with smaller tokens that were held or
// waited for then. It demands nothing if none was waited for, or there is only one: that is judged
// already. The token of a permit with a slot tells when it got the slot, and nothing of its rank.
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
