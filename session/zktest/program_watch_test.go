package zktest_test

// The part of the conformance program about watches and access.

import (
	"fmt"
	"time"
)

func runWatches(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/w", nil, 0)
	// Each kind of watch against each kind of change.
	for _, watch := range []struct {
		name string
		set  func(*raw, string)
	}{
		{"exists", func(c *raw, p string) { c.exists(p, true) }},
		{"getData", func(c *raw, p string) { c.get(p, true) }},
		{"getChildren", func(c *raw, p string) { c.children(p, true) }},
		{"getChildren2", func(c *raw, p string) { c.children2(p, true) }},
	} {
		p := "/w/" + watch.name
		watch.set(b, p)
		a.create(p, nil, 0)
		b.settle()
		for _, change := range []func(){
			func() { a.set(p, nil, -1) },
			func() { a.setACL(p, open, -1) },
			func() { a.create(p+"/kid", nil, 0) },
			func() { a.set(p+"/kid", nil, -1) },
			func() { a.delete(p+"/kid", -1) },
			func() { a.set(p, nil, 99) },
			func() { a.delete(p, -1) },
		} {
			watch.set(b, p)
			watch.set(b, p)
			change()
			b.settle()
		}
	}
	// The watcher's own changes: the event comes before the reply.
	b.create("/w/own", nil, 0)
	b.get("/w/own", true)
	b.children("/w", true)
	b.set("/w/own", nil, -1)
	b.get("/w/own", true)
	b.exists("/w/own", true)
	b.children("/w/own", true)
	b.children("/w", true)
	b.delete("/w/own", -1)
	b.settle()
	b.exists("/w/own", true)
	b.children("/w", true)
	b.create("/w/own", nil, 1)
	b.delete("/w/own", -1)
	b.settle()
	// A child watch alone is told of the znode's own end.
	a.create("/w/dir", nil, 0)
	b.children("/w/dir", true)
	a.delete("/w/dir", -1)
	b.settle()
	// Watches of failed reads.
	b.get("/w/later", true)
	b.children("/w/later", true)
	a.create("/w/later", nil, 0)
	b.settle()
	b.exists("/w/later2", true)
	a.create("/w/later2", nil, 0)
	a.delete("/w/later2", -1)
	b.settle()
	// The root.
	b.children("/", true)
	b.get("/", true)
	a.create("/rootkid", nil, 0)
	a.set("/", []byte("root"), -1)
	b.settle()
	a.delete("/rootkid", -1)
	b.settle()
	// Closing a session.
	b.get("/w", true)
	b.children("/w", true)
	a.create("/w/e1", nil, 1)
	b.settle()
	b.get("/w/e1", true)
	b.children("/w", true)
	b.exists("/w/e2", true)
	a.close()
	b.settle()
	b.exists("/w", false)
	b.close()
}

func runSetWatches(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	for _, p := range []string{"/sw", "/sw/same", "/sw/changed", "/sw/deleted", "/sw/kids", "/sw/quiet", "/sw/again"} {
		a.create(p, nil, 0)
	}
	b.get("/sw/same", true)
	b.conn.Close()
	seen := tr.base
	a.get("/sw", false)
	a.set("/sw/changed", nil, -1)
	a.delete("/sw/deleted", -1)
	a.create("/sw/created", nil, 0)
	a.create("/sw/kids/k", nil, 0)
	a.delete("/sw/again", -1)
	a.create("/sw/again", nil, 0)
	a.set("/sw/same", nil, -1) // nobody watches: the connection is gone
	b = b.again("b2", 0)
	b.settle()
	all := []string{"/sw/same", "/sw/changed", "/sw/deleted", "/sw/created", "/sw/kids", "/sw/quiet", "/sw/again", "/sw/never"}
	for _, zxid := range []int64{seen + 1, 1 << 60} {
		b.call(-8, 101, "setWatches data", zxid, all, []string{}, []string{})
		b.settle()
		b.call(-8, 101, "setWatches exists", zxid, []string{}, all, []string{})
		b.settle()
		b.call(-8, 101, "setWatches children", zxid, []string{}, []string{}, all)
		b.settle()
	}
	a.set("/sw/quiet", nil, -1)
	b.settle()
	a.create("/sw/quiet/k", nil, 0)
	b.settle()
	a.create("/sw/never", nil, 0)
	b.settle()
	a.delete("/sw/same", -1)
	b.settle()
	b.do(101, "setWatches with an xid of its own", int64(1<<60), []string{"/sw"}, []string{"/sw/no"}, []string{"/sw"})
	b.do(101, "setWatches of nothing", int64(0), []string{}, []string{}, []string{})
	a.create("/sw/no", nil, 0)
	b.settle()
	a.close()
	b.close()
}

func runMultiWatches(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/mw", nil, 0)
	a.create("/mw/x", nil, 0)
	b.exists("/mw/new", true)
	b.get("/mw/x", true)
	b.children("/mw", true)
	a.transact(mkCreate("/mw/new", 0), mkSet("/mw/x", -1), mkDelete("/mw/x", -1), mkCreate("/mw/y", 0))
	b.settle()
	b.children("/mw", true)
	b.get("/mw/y", true)
	a.transact(mkDelete("/mw/y", -1), mkCheck("/nowhere", -1))
	b.settle()
	b.get("/mw/new", true)
	b.transact(mkDelete("/mw/y", -1), mkDelete("/mw/new", -1))
	b.settle()
	a.close()
	b.close()
}

// runTTL wants servers that allow znodes with a time to live.
func runTTL(tr *trace) {
	a := tr.open("a")
	a.create("/t", nil, 0)
	live := func(ttl int64) {
		a.do(21, fmt.Sprintf("createTTL %d", ttl), fmt.Sprintf("/t/ttl%d", ttl), []byte("t"), open, 5, ttl)
		a.do(21, fmt.Sprintf("createTTL %d, a sequence", ttl), fmt.Sprintf("/t/seq%d-", ttl), []byte("t"), open, 6, ttl)
	}
	for _, ttl := range []int64{-1, 0, 1 << 39, 1<<40 - 1, 1 << 40} {
		live(ttl)
	}
	for _, flags := range []int{0, 1, 3, 4, 7} {
		a.do(21, fmt.Sprintf("createTTL with flags %d", flags), fmt.Sprintf("/t/flags%d", flags), []byte("t"), open, flags, int64(60000))
	}
	for _, op := range []int{1, 15, 19} {
		a.do(op, fmt.Sprintf("op %d with flags 5", op), fmt.Sprintf("/t/op%d", op), []byte("t"), open, 5)
	}
	a.do(21, "createTTL 60000", "/t/minute", []byte("t"), open, 5, int64(60000))
	a.get("/t/minute", false)
	a.create("/t/minute/kid", nil, 0)
	a.create("/t/minute/e", nil, 1)
	a.exists("/t/minute", false)
	a.delete("/t/minute", -1)
	a.transact(sub{21, "createTTL /t/multi", []any{"/t/multi", []byte{}, open, 5, int64(1000)}})
	a.exists("/t/multi", false)
	// A znode with children outlives its time, and so does one that was changed a moment ago.
	for _, p := range []string{"/t/alone", "/t/parent"} {
		a.do(21, "createTTL of "+p, p, []byte("t"), open, 5, int64(1000))
	}
	a.create("/t/parent/kid", nil, 0)
	<-time.After(2500 * time.Millisecond)
	a.children("/t/parent", false)
	a.exists("/t/alone", false)
	a.exists("/t/multi", false)
	a.delete("/t/parent/kid", -1)
	<-time.After(1500 * time.Millisecond)
	a.exists("/t/parent", false)
	live(1) // at the end: when the servers delete these, all that follows gets other numbers
	a.close()
}

func runAccess(tr *trace) {
	a, joe, other := tr.open("a"), tr.open("joe"), tr.open("other")
	joe.auth("joe:secret")
	other.auth("other:secret")
	other.auth("other:secret")
	other.auth("third:secret")
	a.create("/acl", nil, 0)
	a.createACL("/acl/auth", acls{{31, "auth", ""}})
	joe.createACL("/acl/auth", acls{{31, "auth", ""}})
	joe.getACL("/acl/auth")
	a.getACL("/acl/auth")
	other.createACL("/acl/both", acls{{31, "auth", "ignored"}, {1, "world", "anyone"}})
	other.getACL("/acl/both")
	a.getACL("/acl/both")
	a.get("/acl/auth", false)
	other.get("/acl/auth", false)
	joe.get("/acl/auth", false)
	// One permission at a time, for everybody.
	for _, perm := range []int{0, 1, 2, 4, 8, 16, 31} {
		p := fmt.Sprintf("/acl/p%d", perm)
		joe.createACL(p, acls{{perm, "world", "anyone"}})
		a.exists(p, false)
		a.get(p, false)
		a.children(p, false)
		a.children2(p, false)
		a.getACL(p)
		a.set(p, []byte("y"), -1)
		a.transact(mkCheck(p, -1))
		a.create(p+"/kid", nil, 0)
		a.create(p+"/kid-", nil, 2)
		a.delete(p+"/kid", -1)
		a.delete(p+"/nokid", -1)
		a.setACL(p, acls{{perm, "world", "anyone"}}, -1)
		a.setACL(p, acls{{perm, "world", "anyone"}}, 77)
		a.set(p, []byte("y"), 77)
		a.sync(p)
	}
	// The parent's ACL decides about deletions, the znode's ACL about the rest.
	joe.createACL("/acl/closed", acls{{31, "auth", ""}})
	a.delete("/acl/closed", 5)
	a.delete("/acl/closed", -1)
	// By address.
	a.createACL("/acl/here", acls{{31, "ip", "127.0.0.1"}})
	a.get("/acl/here", false)
	a.createACL("/acl/net", acls{{31, "ip", "127.0.0.0/8"}})
	a.get("/acl/net", false)
	a.createACL("/acl/there", acls{{31, "ip", "10.1.2.3/8"}})
	a.get("/acl/there", false)
	// Identities belong to the connection, not to the session.
	joe2 := joe.again("joe2", 0)
	joe.expectClosed("after its session was taken over")
	joe2.get("/acl/auth", false)
	joe2.auth("joe:secret")
	joe2.get("/acl/auth", false)
	// Access and multi.
	a.transact(mkSet("/acl/auth", -1), mkCreate("/acl/z", 0))
	a.transact(mkCreate("/acl/z", 0), mkCheck("/acl/auth", -1))
	joe2.transact(mkCheck("/acl/auth", -1), mkSet("/acl/auth", -1))
	// Several entries: any one may grant.
	joe2.setACL("/acl/auth", acls{{1, "world", "anyone"}, {2, "digest", "nobody:x"}, {16, "auth", ""}}, -1)
	joe2.getACL("/acl/auth")
	a.getACL("/acl/auth")
	a.get("/acl/auth", false)
	a.set("/acl/auth", nil, -1)
	joe2.set("/acl/auth", nil, -1)
	for _, c := range []*raw{a, joe2, other} {
		c.close()
	}
}

func runAccessWatches(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.auth("joe:secret")
	a.create("/aw", nil, 0)
	a.createACL("/aw/secret", acls{{31, "auth", ""}})
	b.exists("/aw/secret", true)
	b.get("/aw/secret", true)
	b.children("/aw/secret", true)
	a.set("/aw/secret", nil, -1)
	b.settle()
	b.exists("/aw/secret", true)
	a.create("/aw/secret/kid", nil, 0)
	a.delete("/aw/secret/kid", -1)
	a.delete("/aw/secret", -1)
	b.settle()
	// The watch is used up although nothing was said.
	a.create("/aw/secret", nil, 0)
	b.settle()
	// Created unreadable: nothing is said, and the watch is used up.
	b.exists("/aw/hidden", true)
	b.children("/aw", true)
	a.createACL("/aw/hidden", acls{{31, "auth", ""}})
	b.settle()
	// Made unreadable after the watch was set.
	b.get("/aw/secret", true)
	a.setACL("/aw/secret", acls{{31, "auth", ""}}, -1)
	a.set("/aw/secret", nil, -1)
	b.settle()
	// Missed changes are reported at a reconnect whatever the ACL says.
	b.call(-8, 101, "setWatches", int64(1), []string{"/aw/secret"}, []string{"/aw/hidden"}, []string{"/aw/secret"})
	b.settle()
	a.close()
	b.close()
}
