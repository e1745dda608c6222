package zktest_test

import (
	"fmt"
	"strings"
)

// The conformance program. It sees a server only through the wire and notes everything it sees. The
// comparison with a real server's trace tells whether that is right. Server 0 of a trace is the one
// most clients use (of three, a follower), server 1 the leader.
//
// To observe something new, add a line here and record again.

type section struct {
	name string
	run  func(*trace)
	only int // the number of servers it needs; 0 for any
}

var program = []section{
	{"handshake", runHandshake, 0},
	{"refused frames", runRefusedFrames, 0},
	{"create", runCreate, 0},
	{"bad paths", runBadPaths, 0},
	{"sequences", runSequences, 0},
	{"delete", runDelete, 0},
	{"read and write", runReadWrite, 0},
	{"zookeeper's own znodes", runOwn, 0},
	{"multi", runMulti, 0},
	{"watches", runWatches, 0},
	{"watches after a reconnect", runSetWatches, 0},
	{"watches and multi", runMultiWatches, 0},
	{"watches that are removed", runRemoveWatches, 0},
	{"watches that stay", runAddWatch, 0},
	{"watches that stay, and access", runAddWatchAccess, 0},
	{"access", runAccess, 0},
	{"access and watches", runAccessWatches, 0},
	{"writes that cannot be read", runUnread, 1},
	{"malformed requests", runMalformed, 0},
	{"sessions", runSessions, 0},
	{"expiry", runExpiry, 0},
	{"a moved session", runMoved, 3},
	{"followers", runFollowers, 3},
}

func runHandshake(tr *trace) {
	none := make([]byte, 16)
	a := tr.client("a", 0).hello("opens a session", 0, stays, 0, none, false)
	for _, timeout := range []int{-1, 0, 1, 999, 1000, 1001, 9999, 10000, 10001, 1 << 30} {
		c := tr.client("b", 0).hello(fmt.Sprintf("asks for %d ms", timeout), 0, timeout, 0, none, false)
		c.close()
	}
	tr.client("b", 0).hello("without the read-only flag", 0, stays, 0, none).close()
	tr.client("b", 0).hello("read-only flag set", 0, stays, 0, none, true).close()
	tr.client("b", 0).hello("with a null password", 0, stays, 0, []byte(nil), false).close()
	tr.client("b", 0).hello("with a short password", 0, stays, 0, []byte("abc"), false).close()
	tr.client("b", 0).hello("with bytes left over", 0, stays, 0, none, false, 1, 2, 3).close()
	c := tr.client("c", 0).hello("has seen a far zxid", 1<<50, stays, 0, none, false)
	c.expectClosed("then")
	c = tr.client("c", 0).hello("unknown session", 0, stays, 0x7777, none, false)
	c.expectClosed("then")
	c = tr.client("c", 0).hello("wrong password", 0, stays, a.session, none, false)
	c.expectClosed("then")
	c = tr.client("c", 0).hello("null password", 0, stays, a.session, []byte(nil), false)
	c.expectClosed("then")
	c = tr.client("c", 0).hello("wrong password, session unknown", 0, stays, 0x7777, []byte("x"), false)
	c.expectClosed("then")
	// A wrong password has cut the owner's connection off all the same.
	a.expectClosed("after somebody else came with its session id")
	a = tr.client("a", 0).hello("comes back", 0, stays, a.session, a.password, false)
	a.settle()
	a2 := tr.client("a2", 0).hello("takes over", 0, 9000, a.session, a.password, false)
	a.expectClosed("after its session was taken over")
	a2.settle()
	a3 := tr.client("a3", 0).hello("takes over, old client", 0, 8000, a.session, a.password)
	a2.expectClosed("after its session was taken over")
	a3.settle()
	a3.close()
	c = tr.client("c", 0).hello("a closed session", 0, stays, a.session, a.password, false)
	c.expectClosed("then")
}

func runRefusedFrames(tr *trace) {
	none := make([]byte, 16)
	c := tr.client("c", 0)
	c.send(pack(0, int64(0), stays))
	c.expectClosed("short connect request")
	c = tr.client("c", 0)
	c.send(nil)
	c.expectClosed("empty connect request")
	c = tr.client("c", 0)
	c.conn.Write([]byte{0xff, 0xff, 0xff, 0xff})
	c.expectClosed("negative length")
	c = tr.client("c", 0)
	c.conn.Write([]byte{0, 0x10, 0, 0})
	c.expectClosed("1 MiB")
	c = tr.client("c", 0).hello("opens a session", 0, stays, 0, none, false)
	c.conn.Write([]byte{0x7f, 0, 0, 0})
	c.expectClosed("a huge request")
	c = c.again("c", 0)
	c.send(nil)
	c.expectClosed("an empty request")
	c = c.again("c", 0)
	c.send(pack(1))
	c.expectClosed("half a header")
	c = c.again("c", 0)
	c.do(0, "notification as a request", "/")
	c.expectClosed("then")
	c = c.again("c", 0)
	c.do(999, "unknown operation", "/")
	c.expectClosed("then")
	c = c.again("c", 0)
	c.do(-1, "error as a request")
	c.expectClosed("then")
	c = c.again("c", 0)
	c.call(-4, 100, "authenticates with an unknown scheme", 0, "nosuch", []byte("x"))
	c.expectClosed("then")
	c = c.again("c", 0)
	c.call(-4, 100, "authenticates by address", 0, "ip", []byte(""))
	c.call(-4, 100, "authenticates without a password", 0, "digest", []byte("joe"))
	c.call(77, 100, "authenticates with an xid of its own", 0, "digest", []byte("joe:x"))
	c.do(16, "reconfig", "", "", "", int64(-1))
	c.settle()
	c.close()
}

func runCreate(tr *trace) {
	a := tr.open("a")
	a.create("/c", []byte("data"), 0)
	a.create("/c", []byte("data"), 0)
	a.create("/c", nil, 1)
	a.create("/c/null", nil, 0)
	a.get("/c/null", false)
	a.create("/c/empty", []byte{}, 0)
	a.get("/c/empty", false)
	a.create("/c/e", []byte("e"), 1)
	a.get("/c/e", false)
	a.create("/c/e/x", nil, 0)
	a.create("/c/e/x", nil, 2)
	a.create("/c/nowhere/x", nil, 0)
	a.create("/c/nowhere/x", nil, 1)
	a.create("/c/nowhere/x-", nil, 3)
	a.get("/c", false)
	for _, flags := range []int{-1, 5, 6, 7, 8, 1 << 20} {
		a.create("/c/flags", nil, flags)
		a.create("/c", nil, flags)
	}
	a.create("/c/four", nil, 4)
	a.exists("/c/four", false)
	a.create("/c/four/kid", nil, 0)
	a.do(15, "create2 /c/two", "/c/two", []byte("22"), open, 0)
	a.do(15, "create2 /c/two again", "/c/two", []byte("22"), open, 0)
	a.do(15, "create2 /c/two-", "/c/two-", []byte("22"), open, 3)
	a.do(19, "createContainer /c/box", "/c/box", []byte("b"), open, 4)
	a.exists("/c/box", false)
	a.create("/c/box/e", nil, 1)
	a.exists("/c/box", false)
	a.do(19, "createContainer with flags 0", "/c/box0", []byte("b"), open, 0)
	a.exists("/c/box0", false)
	a.do(19, "createContainer again", "/c/box", []byte("b"), open, 4)
	a.do(21, "createTTL", "/c/ttl", []byte("t"), open, 5, int64(1000))
	a.do(21, "createTTL that exists", "/c", []byte("t"), open, 5, int64(1000))
	a.do(21, "createTTL without the flag", "/c/ttl", []byte("t"), open, 0, int64(1000))
	a.create("/c/data64k", []byte(strings.Repeat("x", 1<<16)), 0)
	a.exists("/c/data64k", false)
	a.children2("/c", false)
	// Which error comes first?
	a.do(1, "exists, but no ACL", "/c", []byte{}, acls{}, 0)
	a.do(1, "no parent, no ACL", "/nowhere/x", []byte{}, acls{}, 0)
	a.do(1, "bad path, no ACL", "c", []byte{}, acls{}, 0)
	a.do(1, "bad name, no ACL", "/c//x", []byte{}, acls{}, 0)
	a.do(1, "bad flags, no ACL", "/c/x", []byte{}, acls{}, 9)
	a.do(1, "bad flags, bad path", "c", []byte{}, open, 9)
	a.do(1, "bad name below an ephemeral", "/c/e/..", []byte{}, open, 0)
	a.do(1, "bad name, no parent", "/nowhere/..", []byte{}, open, 0)
	for _, list := range []acls{
		{{31, "world", "someone"}}, {{31, "nosuch", "x"}}, {{31, "digest", "nocolon"}},
		{{31, "digest", "a:b:c"}}, {{31, "digest", "a:"}}, {{31, "digest", ":b"}}, {{31, "digest", ""}},
		{{31, "ip", "1.2.3"}}, {{31, "ip", "1.2.3.4/33"}}, {{31, "ip", "1.2.3.4/x"}}, {{31, "ip", "1.2.3.256"}},
		{{31, "auth", ""}}, {{31, "", ""}}, {{0, "world", "anyone"}}, {{1 << 10, "world", "anyone"}},
		{{31, "ip", "1.2.3.4"}}, {{31, "ip", "1.2.3.4/8"}}, {{31, "digest", "a:b"}},
		{{1, "world", "anyone"}, {31, "nosuch", "x"}},
		{{1, "world", "anyone"}, {1, "world", "anyone"}, {2, "world", "anyone"}},
	} {
		a.createACL("/c/acl", list)
		a.getACL("/c/acl")
		a.delete("/c/acl", -1)
	}
	a.close()
	b := tr.open("b")
	b.children2("/c", false)
	b.close()
}

func runBadPaths(tr *trace) {
	a := tr.open("a")
	a.create("/p", nil, 0)
	for _, path := range []string{
		"", "/", "p", "p/q", "//", "//p", "/p/", "/p//", "/p//q", "/.", "/..", "/p/.", "/p/..", "/p/./q", "/p/../q",
		"/p/...", "/p/.q", "/p/q.", "/p/..q", "/p/a.b", "/p/\x00", "/p/a\x00b", "/p/\x01", "/p/\x1f", "/p/ ", "/p/\x7f",
		"/p/\u0080", "/p/\u009f", "/p/\u00a0", "/p/\u20ac", "/p/\ud7ff", "/p/\ue000", "/p/\uf8ff", "/p/\uf900", "/p/\uffef",
		"/p/\ufff0", "/p/\uffff", "/p/\U0001f600", "/p/\xff", "/p/\xc3\x28", "/zookeeper/quota/x", "/p/missing/..",
	} {
		a.create(path, nil, 0)
		a.exists(path, false)
		a.get(path, false)
		a.children(path, false)
		a.set(path, []byte("x"), -1)
		a.getACL(path)
		a.setACL(path, open, -1)
		a.transact(mkCheck(path, -1))
		if path != "/p/\U0001f600" {
			a.sync(path) // which would echo surrogates in an encoding of Java's own
		}
		if path != "" && path != "/" {
			a.delete(path, -1)
		}
	}
	a.create("/p/", nil, 2)
	a.create("/p/s/", nil, 2)
	a.create("/p/.", nil, 2)
	a.create("/p//", nil, 2)
	a.children2("/p", false)
	a.delete("/", -1)
	a.delete("", -1)
	a.close()
}

func runSequences(tr *trace) {
	a := tr.open("a")
	a.create("/s", nil, 0)
	a.create("/s/x-", nil, 2)
	a.create("/s/x-", nil, 3)
	a.create("/s/plain", nil, 0)
	a.create("/s/x-", nil, 2)
	a.delete("/s/plain", -1)
	a.create("/s/x-", nil, 2)
	a.create("/s/x-0000000006", nil, 0)
	a.create("/s/x-", nil, 2)
	a.delete("/s/x-0000000006", -1)
	a.create("/s/x-", nil, 2)
	a.create("/s/x-", nil, 3)
	a.create("/s/plain", nil, 7)
	a.create("/s/x-", nil, 2)
	a.children2("/s", false)
	a.transact(mkCreate("/s/m-", 2), mkCreate("/s/m-", 3), mkDelete("/s/x-0000000000", -1), mkCreate("/s/m-", 2))
	a.transact(mkCreate("/s/m-", 2), mkCreate("/s/m-", 2), mkDelete("/s/nowhere", -1))
	a.create("/s/x-", nil, 2)
	a.children2("/s", false)
	a.create("/top-", nil, 2)
	a.close()
	b := tr.open("b")
	b.create("/s/x-", nil, 3)
	b.children2("/s", false)
	b.close()
}

func runDelete(tr *trace) {
	a := tr.open("a")
	a.create("/d", nil, 0)
	a.create("/d/x", nil, 0)
	a.delete("/d", -1)
	a.delete("/d", 7)
	a.delete("/d/x", 1)
	a.delete("/d/x", -2)
	a.delete("/d/y", -1)
	a.delete("/nowhere/y", -1)
	a.delete("/d/x", 0)
	a.exists("/d", false)
	a.delete("/d/x", 0)
	a.create("/d/x", nil, 1)
	a.set("/d/x", nil, 0)
	a.delete("/d/x", 0)
	a.delete("/d/x", 1)
	a.exists("/d", false)
	a.delete("/d", -1)
	a.exists("/d", false)
	a.close()
}

func runReadWrite(tr *trace) {
	a := tr.open("a")
	a.create("/rw", []byte("0"), 0)
	a.exists("/rw", false)
	a.exists("/rw/no", false)
	a.get("/rw/no", false)
	a.children("/rw/no", false)
	a.children2("/rw/no", false)
	a.getACL("/rw/no")
	a.set("/rw/no", nil, -1)
	a.setACL("/rw/no", open, -1)
	for _, version := range []int{-1, 1, 1, 7, -2, 2} {
		a.set("/rw", []byte("new"), version)
	}
	a.set("/rw", nil, -1)
	a.get("/rw", false)
	a.set("/rw", []byte{}, -1)
	a.get("/rw", false)
	for _, version := range []int{-1, 1, 1, 7} {
		a.setACL("/rw", open, version)
	}
	a.setACL("/rw", acls{}, -1)
	a.setACL("/rw", acls{{31, "nosuch", ""}}, -1)
	a.getACL("/rw")
	a.create("/rw/k1", nil, 0)
	a.create("/rw/k2", nil, 1)
	a.create("/rw/k1/kk", nil, 0)
	a.set("/rw/k1", []byte("x"), -1)
	a.get("/rw", false)
	a.children("/rw", false)
	a.children2("/rw", false)
	a.delete("/rw/k2", -1)
	a.children2("/rw", false)
	a.create("/rw/k2", nil, 1)
	a.children2("/rw", false)
	a.sync("/rw")
	a.sync("/nowhere")
	a.sync("relative")
	// Pipelined requests are answered in order, pings and reads behind writes.
	a.post(5, "/rw", []byte("p1"), -1)
	a.post(4, "/rw", false)
	a.send(pack(-2, 11))
	a.post(5, "/rw", []byte("p2"), -1)
	last := a.post(4, "/rw", false)
	a.await(last-3, 5, "pipelined setData")
	a.await(last-2, 4, "pipelined getData")
	a.await(-2, 11, "pipelined ping")
	a.await(last-1, 5, "pipelined setData")
	a.await(last, 4, "pipelined getData")
	a.close()
}

func runOwn(tr *trace) {
	a := tr.open("a")
	for _, path := range []string{"/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		a.children("/zookeeper", false)
		if path != "/zookeeper/config" { // whose data lists the servers' ports
			a.getACL(path)
		}
		a.delete(path, -1)
		a.create(path+"/mine", nil, 0)
		a.delete(path+"/mine", -1)
	}
	a.set("/zookeeper/config", []byte("x"), -1)
	a.create("/zookeeper/mine", nil, 0)
	a.delete("/zookeeper/mine", -1)
	a.children("/", false)
	a.close()
}

func runMulti(tr *trace) {
	a := tr.open("a")
	a.transact()
	a.create("/m", nil, 0)
	a.transact(mkCheck("/m", -1))
	a.transact(mkCheck("/m", 0))
	a.transact(mkCheck("/m", 1))
	a.transact(mkCheck("/nowhere", -1))
	a.transact(mkCreate("/m/a", 0), mkSet("/m/a", 0), mkSet("/m/a", 1), mkCheck("/m/a", 2), mkCreate("/m/a/b", 1))
	a.get("/m/a", false)
	a.get("/m/a/b", false)
	a.transact(mkCreate("/m/x", 0), mkCreate("/m/a", 0), mkCreate("/m/y", 0))
	a.transact(mkCreate("/m/a", 0), mkCreate("/m/x", 0), mkCreate("/m/y", 0))
	a.transact(mkCreate("/m/x", 0), mkCreate("/m/y", 0), mkCreate("/m/a", 0))
	a.transact(mkCreate("/m/x", 0), mkDelete("/m/x", 0), mkCreate("/m/x", 0))
	a.get("/m/x", false)
	a.transact(mkDelete("/m/a", -1), mkDelete("/m/a/b", -1))
	a.transact(mkDelete("/m/a/b", -1), mkDelete("/m/a", -1))
	a.transact(mkDelete("/m/x", -1), mkSet("/m/x", -1))
	a.transact(mkSet("/m/x", -1), mkSet("/m/x", 0))
	a.transact(mkSet("/m/x", -1), mkSet("/m/x", 1))
	a.get("/m/x", false)
	a.transact(mkCreate("/m/e", 1), mkCreate("/m/e/x", 0))
	a.transact(mkCheck("/m", -1), sub{19, "createContainer /m/box", []any{"/m/box", []byte{}, open, 4}})
	a.exists("/m/box", false)
	a.transact(mkCheck("/m", -1), sub{15, "create2 /m/two", []any{"/m/two", []byte{}, open, 0}})
	a.transact(sub{19, "createContainer with flags 0", []any{"/m/box0", []byte{}, open, 0}})
	a.transact(mkCreate("/m/box4", 4), mkCreate("/m/ttl", 5))
	a.transact(mkCreate("/m/box4", 4), mkCreate("/m/box4/e", 1))
	a.transact(sub{21, "createTTL", []any{"/m/ttl", []byte{}, open, 5, int64(1000)}})
	a.exists("/m/box4", false)
	a.transact(mkCheck("/m", -1), sub{4, "getData", []any{"/m", false}})
	a.transact(mkCheck("/m", -1), sub{99, "unknown", nil})
	a.transact(sub{7, "setACL", []any{"/m", open, -1}})
	a.transact(mkCheck("bad", -1))
	a.transact(mkCreate("/m/ok", 0), mkCreate("bad", 0))
	a.transact(mkCreate("/m/ok", 0), mkDelete("/", -1))
	a.transact(mkCreate("/m/ok", 0), mkCreate("/m/flags", 9), mkCheck("/m", -1))
	a.transact(sub{1, "create without ACL", []any{"/m/noacl", []byte{}, acls{}, 0}})
	a.create("/m/s-", nil, 2)
	a.transact(mkCreate("/m/s-", 2), mkCheck("/nowhere", -1))
	a.create("/m/s-", nil, 2)
	a.children2("/m", false)
	a.close()
	b := tr.open("b")
	b.children2("/m", false)
	b.close()
}
