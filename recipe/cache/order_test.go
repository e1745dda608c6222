package cache

import (
	"container/list"
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Answers to reads of different znodes may be taken in another order than they were given in.
func TestAnOldAnswerThatThereIsNoZnodeDoesNotUndoANewerList(t *testing.T) {
	c := still(t)
	root, _, _ := c.begin()
	stat := zk.Stat{Czxid: 1, Mzxid: 1, Pzxid: 2, NumChildren: 1}
	c.answered(root, "/a", nil, func() { c.gotData(root, nil, stat, 1) })
	c.answered(root, "/a", nil, func() { c.gotList(root, []string{"x"}, stat, 1) })
	c.ended(root)
	x, _, _ := c.begin()
	// x is deleted and created again. The read of x has met the time in between, the list the one
	// after.
	c.need(root, getList, 0)
	if n, _, _ := c.begin(); n != root {
		t.Fatal("the list is not read")
	}
	stat.Pzxid = 4
	c.answered(root, "/a", nil, func() { c.gotList(root, []string{"x"}, stat, 1) })
	c.ended(root)
	c.answered(x, "/a/x", zk.ErrNoNode, nil)
	c.ended(x)
	if n, path, todo := c.begin(); n != x || path != "/a/x" || todo&getData == 0 {
		t.Errorf("%v, %s, %v: x is not read again", n, path, todo)
	}
}

// still returns a cache of /a that nothing is read for.
func still(t *testing.T) *Cache {
	t.Helper()
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cache{path: "/a", cfg: cfg, root: &node{}, nodes: 1, open: map[uint64]int{},
		wake: make(chan struct{}, 1), changes: changes{pending: map[string]*list.Element{}}, latest: 1}
	c.need(c.root, c.all(c.root), 0)
	return c
}

// A list may be older than a znode whose event arrives before the list.
func TestAnOldListDoesNotUndoACreation(t *testing.T) {
	c := still(t)
	root, _, _ := c.begin()
	stat := zk.Stat{Czxid: 1, Mzxid: 1, Pzxid: 1}
	c.answered(root, "/a", nil, func() { c.gotData(root, nil, stat, 1) })
	c.answered(root, "/a", nil, func() { c.gotList(root, nil, stat, 1) })
	c.ended(root)
	c.need(root, getList, 0)
	c.begin()
	c.created(nil, "/a/x")
	c.answered(root, "/a", nil, func() { c.gotList(root, nil, stat, 1) })
	c.ended(root)
	if n, _, todo := c.begin(); n != root || todo&getList == 0 {
		t.Errorf("%v, %v: the list is not read again", n, todo)
	}
	if len(c.open) != 1 {
		t.Errorf("open: %v", c.open)
	}
}

// If a part of a read is left out because all is to be read again, nothing is proved before it has
// been read again.
func TestAReadThatIsCutShortProvesNothing(t *testing.T) {
	c := still(t)
	root, _, _ := c.begin()
	c.proofs, c.round = []proof{{begun: clock.Instant{Mono: 1, Boot: 1}, round: root.round}}, root.round+1
	c.need(root, c.all(root), c.round) // as on a new connection
	stat := zk.Stat{Czxid: 1, Mzxid: 1, Pzxid: 2, NumChildren: 1}
	if c.answered(root, "/a", nil, func() { c.gotData(root, nil, stat, 1) }) {
		t.Fatal("the list is read twice")
	}
	c.ended(root)
	if c.loaded() {
		t.Error("the first state is complete without a list")
	}
	if n, _, todo := c.begin(); n != root || todo != c.all(root) {
		t.Fatalf("%v, %v: the root is not read again", n, todo)
	}
	c.answered(root, "/a", nil, func() { c.gotData(root, nil, stat, 1) })
	c.answered(root, "/a", nil, func() { c.gotList(root, nil, stat, 1) })
	c.ended(root)
	if !c.loaded() {
		t.Error("the first state is not complete")
	}
}

// reading returns a cache that is loaded, and reads the data at a path once more.
func reading(t *testing.T, path string) (*Cache, *node) {
	t.Helper()
	c := still(t)
	loadedAs(c, "x")
	n := c.find(path)
	c.need(n, getData, c.round)
	c.begin()
	return c, n
}

// Something may have called for another read meanwhile: a new connection, a check, a list, or a
// look at what the client has no permission to read.
func TestFreshBelievesThatThereIsNoZnode(t *testing.T) {
	for _, again := range []work{getData, getList, getStat, getData | getList} {
		for _, path := range []string{"/a", "/a/x"} {
			c, n := reading(t, path)
			old := proving(c)
			c.need(n, again, c.round)
			c.answered(n, path, zk.ErrNoNode, nil)
			c.ended(n)
			if c.proved != old && n.known {
				t.Errorf("%s, %b: the data from before are proved to be fresh", path, again)
			}
		}
	}
}

// It may be another znode that has come.
func TestWhatWasNotFoundIsReadWithAllBelow(t *testing.T) {
	for _, again := range []work{getData, getList, getStat} {
		for _, path := range []string{"/a", "/a/x"} {
			c, n := reading(t, path)
			c.need(n, again, c.round)
			c.answered(n, path, zk.ErrNoNode, nil)
			c.ended(n)
			if m, _, todo := c.begin(); m != n || todo&c.all(n) != c.all(n) {
				t.Errorf("%s, %b: %b is to be read", path, again, todo)
			}
		}
	}
}

// loadedAs reads the root and these children.
func loadedAs(c *Cache, names ...string) *node {
	root, _, _ := c.begin()
	stat := zk.Stat{Czxid: 1, Mzxid: 1, Pzxid: 1}
	c.answered(root, "/a", nil, func() { c.gotData(root, nil, stat, 1) })
	c.answered(root, "/a", nil, func() { c.gotList(root, names, stat, 1) })
	c.ended(root)
	for range names {
		n, path, _ := c.begin()
		c.answered(n, path, nil, func() { c.gotData(n, nil, stat, 1) })
		c.answered(n, path, nil, func() { c.gotList(n, nil, stat, 1) })
		c.ended(n)
	}
	return root
}

// proving takes the answer to a proof. It returns the one before.
func proving(c *Cache) proof {
	c.lookAgain()
	c.proofs = append(c.proofs, proof{begun: clock.Instant{Mono: 1, Boot: 1}, round: c.round})
	c.round++
	old := c.proved
	c.settle()
	return old
}

// The goroutine that has the answer may run later than the one that has the proof's.
func TestAnAnswerThatThePathIsMissingMayBeOlderThanAProof(t *testing.T) {
	c := still(t)
	root := loadedAs(c)
	c.need(root, getData, c.round)
	c.begin()
	old := proving(c) // the znode has been created again before
	c.answered(root, "/a", zk.ErrNoNode, nil)
	c.ended(root)
	if c.proved != old {
		t.Error("it is proved that the path is missing, by an answer from before")
	}
	if n, _, todo := c.begin(); n != root || todo != c.all(root) {
		t.Errorf("%v, %b: the path is not looked for again", n, todo)
	}
	proving(c) // others call Fresh, too; that does not keep the first from its end
	c.answered(root, "/a", zk.ErrNoNode, nil)
	c.ended(root)
	if c.proved == old {
		t.Error("it is not proved that the path is missing")
	}
}

// The event that follows an answer may be heard before the answer is taken.
func TestAnOldAnswerDoesNotUndoADeletion(t *testing.T) {
	c := still(t)
	c.changes.told = true
	root := loadedAs(c)
	c.need(root, getData, c.round)
	c.begin()
	c.heard(zk.Event{Type: zk.EventNodeDeleted, Path: "/a"})
	missing := !root.known
	c.answered(root, "/a", nil, func() { c.gotData(root, nil, zk.Stat{Czxid: 1, Mzxid: 2}, 1) })
	if missing && root.known {
		t.Error("what was deleted is there again")
	}
	c.ended(root)
	c.begin()
	c.answered(root, "/a", zk.ErrNoNode, nil)
	c.ended(root)
	if root.known {
		t.Error("the path is not missing")
	}
}

// A read that fails ends the others. What they leave unread is read in the next session.
func TestWhatAFailureLeavesUnreadIsReadAfterwards(t *testing.T) {
	c := still(t)
	root, _, _ := c.begin()
	c.fail(errors.New("of another read"))
	if c.answered(root, "/a", nil, func() { c.gotData(root, nil, zk.Stat{Czxid: 1, Mzxid: 1, NumChildren: 1}, 1) }) {
		t.Error("the read goes on")
	}
	c.ended(root)
	c.failed = nil // the next session
	proving(c)
	if c.loaded() {
		t.Error("the first state is complete without a list")
	}
	if n, _, todo := c.begin(); n != root || todo&getList == 0 {
		t.Errorf("%v, %b: the list is not read", n, todo)
	}
}
