package zktest_test

// The part of the conformance program about bad requests and sessions.

import (
	"fmt"
	"time"
)

// runUnread is for a server that is alone: an ensemble of 3.9.3 to 3.9.5 does not recover from a
// write that it cannot read (two proposals get the same zxid).
func runUnread(tr *trace) {
	a := tr.open("a")
	a.create("/un", nil, 0)
	for _, op := range []int{1, 15, 19, 2, 5, 7} {
		a.unread(op)
	}
	a.do(1, "create without flags", "/un/x", []byte{}, open)
	a.do(5, "setData", "/un", []byte("fine"), 0)
	a.settle()
	a.close()
}

func (c *raw) unread(op int) {
	c.do(op, fmt.Sprintf("op %d without parameters", op))
	c.do(op, fmt.Sprintf("op %d with a length that lies", op), 1000, verbatim("/mal"))
}

// runMalformed leaves one thing out: a multi with a null path, from which real ensembles of all
// releases do not recover either.
func runMalformed(tr *trace) {
	a := tr.open("a")
	a.create("/mal", nil, 0)
	for _, op := range []int{3, 4, 6, 8, 9, 12, 14, 101} {
		a.unread(op)
	}
	a.do(1, "create with a null path", []byte(nil), []byte{}, open, 0)
	a.do(4, "getData of a null path", []byte(nil), false)
	a.do(3, "exists of a null path", []byte(nil), false)
	a.do(2, "delete of a null path", []byte(nil), -1)
	a.do(5, "setData of a null path", []byte(nil), []byte{}, -1)
	a.do(8, "getChildren of a null path", []byte(nil), false)
	a.do(1, "create with a null ACL", "/mal/x", []byte{}, -1, 0)
	a.do(4, "getData without the watch flag", "/mal")
	a.do(4, "getData with bytes left over", "/mal", false, "more")
	a.do(7, "setACL of a null path", []byte(nil), open, -1)
	a.do(6, "getACL of a null path", []byte(nil))
	a.do(12, "getChildren2 of a null path", []byte(nil), false)
	a.do(14, "multi without an end", 13, false, -1, "/mal", -1)
	a.do(5, "setData", "/mal", []byte("fine"), 0)
	a.settle()
	a.close()
}

func runSessions(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/ss", nil, 0)
	a.create("/ss/one", nil, 1)
	a.create("/ss/two", nil, 1)
	a.create("/ss/s-", nil, 3)
	a.create("/ss/stays", nil, 0)
	b.create("/ss/b", nil, 1)
	b.children2("/ss", false)
	b.delete("/ss/two", -1) // anybody may delete an ephemeral
	b.get("/ss/one", true)
	a.conn.Close() // the session outlives its connection
	b.settle()
	a = a.again("a2", 0)
	a.get("/ss/one", false)
	a.settle()
	b.children("/ss/stays", true)
	a.close()
	b.settle()
	b.children2("/ss", false)
	b.get("/ss/one", false)
	b.create("/ss/one", nil, 1)
	b.get("/ss/one", false)
	b.close()
	c := tr.open("c")
	c.children2("/ss", false)
	// The other way to come back: before the old connection is gone.
	c.create("/ss/mine", nil, 1)
	c2 := c.again("c2", 0)
	c.expectClosed("kicked")
	c2.get("/ss/mine", false)
	c2.create("/ss/mine2", nil, 1)
	c2.close()
}

func runExpiry(tr *trace) {
	a := tr.client("a", 0).hello("opens a short session", 0, 4000, 0, make([]byte, 16), false)
	b := tr.open("b")
	a.create("/x", nil, 0)
	a.create("/x/e1", nil, 1)
	b.get("/x/e1", true)
	// b keeps itself alive; a is silent and expires. Its connection ends, too.
	b.awaitEvent()
	b.exists("/x", false)
	a.expectClosed("expired")
	a.again("a2", 0).expectClosed("after its session expired")
	b.close()
}

// awaitEvent pings until a watch event comes.
func (c *raw) awaitEvent() {
	for start := time.Now(); ; pause() {
		if time.Since(start) > hang {
			c.tr.t.Fatal("no event comes")
		}
		c.send(pack(-2, 11))
		event := false
		for {
			b, err := c.recv()
			if err != nil {
				c.tr.t.Fatalf("waiting for an event: %v", err)
			}
			u := &unpack{b}
			xid, zxid, code := u.int(), u.int64(), u.int()
			if xid == -2 {
				break
			}
			c.event(u, zxid, code)
			event = true
		}
		if event {
			return
		}
	}
}

func runMoved(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/mv", nil, 0)
	a.create("/mv/e", nil, 1)
	m := a.again("m", 1)
	m.create("/mv/m", nil, 0)
	b.sync("/") // else a's server perhaps does not have that yet
	// The old connection does not know yet: reads work, writes do not.
	a.get("/mv", false)
	a.settle()
	a.create("/mv/no", nil, 0)
	b.sync("/")
	b.children2("/mv", false)
	// And back again.
	a = m.again("a2", 0)
	a.create("/mv/a2", nil, 1)
	m.set("/mv", nil, -1)
	a.transact(mkCheck("/mv/e", -1))
	m = a.again("m2", 1)
	a.transact(mkCheck("/mv/e", -1))
	m.close()
	b.sync("/")
	b.children2("/mv", false)
	b.close()
}

func runFollowers(tr *trace) {
	a := tr.open("a")
	l := tr.client("l", 1).hello("opens a session at the leader", 0, stays, 0, make([]byte, 16), false)
	a.sync("/")
	a.create("/f", nil, 0)
	l.get("/f", true)
	a.get("/f", true)
	l.set("/f", []byte("l"), -1)
	a.sync("/f")
	l.settle()
	a.settle()
	l.create("/f/e", nil, 1)
	a.sync("/f")
	a.get("/f/e", true)
	l.close()
	a.sync("/f")
	a.settle()
	a.children2("/f", false)
	// A session opened at one server, closed at another.
	b := tr.open("b")
	b.create("/f/b", nil, 1)
	b2 := b.again("b2", 1)
	b2.close()
	b.expectClosed("after its session was closed elsewhere")
	a.sync("/f")
	a.children2("/f", false)
	a.close()
}
