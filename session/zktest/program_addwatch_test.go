package zktest_test

// The part of the conformance program about watches that are removed, and about those that stay.

import "fmt"

func runRemoveWatches(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/rw", nil, 0)
	a.create("/rw/kid", nil, 0)
	for kind := range 7 {
		b.removeWatches("/rw", kind)
	}
	b.removeWatches("/rw/missing", 3)
	b.removeWatches("bad", 3)
	for kind := 1; kind <= 3; kind++ {
		b.get("/rw", true)
		b.children("/rw", true)
		b.exists("/rw/missing", true)
		b.removeWatches("/rw", kind)
		b.removeWatches("/rw", kind)
		b.removeWatches("/rw/missing", kind)
		a.set("/rw", nil, -1)
		a.create("/rw/missing", nil, 0)
		b.settle()
		a.delete("/rw/missing", -1)
		b.settle()
		b.removeWatches("/rw", 3)
		b.removeWatches("/rw/missing", 3)
	}
	// Those of others stay.
	b.get("/rw", true)
	a.removeWatches("/rw", 2)
	a.set("/rw", nil, -1)
	b.settle()
	a.close()
	b.close()
}

func runAddWatch(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.create("/pw", nil, 0)
	if !b.addWatch("/pw", 1) {
		b.expectClosed("after an operation that the server does not know")
		a.close()
		return
	}
	b.addWatch("/pw", 2)
	b.addWatch("/pw", -1)
	changes := func(path string) {
		for range 2 {
			a.create(path+"/x", nil, 0)
			a.create(path+"/x/y", nil, 0)
			a.set(path+"/x/y", nil, -1)
			a.set(path, nil, -1)
			a.transact(mkDelete(path+"/x/y", -1), mkCreate(path+"/x/z", 1), mkSet(path+"/x", -1))
			a.delete(path+"/x/z", -1)
			a.delete(path+"/x", -1)
			b.settle()
		}
	}
	changes("/pw")
	b.removeWatches("/pw", 5)
	b.removeWatches("/pw", 3)
	changes("/pw")
	b.addWatch("/pw", 0)
	changes("/pw")
	b.removeWatches("/pw", 4)
	b.removeWatches("/pw", 3)
	changes("/pw")
	// On a path that is missing, is created and deleted.
	for mode := range 2 {
		path := fmt.Sprintf("/pw/later%d", mode)
		b.addWatch(path, mode)
		for range 2 {
			a.create(path, nil, 0)
			a.create(path+"/kid", nil, 0)
			a.delete(path+"/kid", -1)
			a.delete(path, -1)
			b.settle()
		}
	}
	// Beside one-shot ones, below and on the same path.
	b.addWatch("/pw", 1)
	a.create("/pw/x", nil, 0)
	b.get("/pw/x", true)
	b.children("/pw/x", true)
	changes("/pw/x")
	b.children("/pw", true)
	changes("/pw")
	b.get("/pw", true)
	changes("/pw")
	b.addWatch("/pw", 1)
	b.children("/pw", true)
	b.addWatch("/pw", 1)
	a.create("/pw/again", nil, 0)
	b.settle()
	b.call(-8, 101, "setWatches", int64(1<<60), []string{"/pw"}, []string{}, []string{"/pw"})
	changes("/pw")
	for kind := 1; kind <= 3; kind++ {
		b.addWatch("/pw", 1)
		b.get("/pw", true)
		b.addWatch("/pw", 1)
		b.removeWatches("/pw", kind)
		a.set("/pw/again", nil, -1)
		b.settle()
	}
	// All of it.
	b.addWatch("/", 1)
	a.set("/pw/again", nil, -1)
	a.set("/", nil, -1)
	b.settle()
	// The connection, not the session, has them.
	b2 := b.again("b2", 0)
	a.set("/pw/again", nil, -1)
	b2.settle()
	a.close()
	b2.close()
}

func runAddWatchAccess(tr *trace) {
	a, b := tr.open("a"), tr.open("b")
	a.auth("joe:secret")
	a.create("/pwa", nil, 0)
	if !b.addWatch("/pwa", 1) {
		b.expectClosed("after an operation that the server does not know")
		a.close()
		return
	}
	a.createACL("/pwa/secret", acls{{31, "auth", ""}})
	a.set("/pwa/secret", nil, -1)
	a.create("/pwa/secret/kid", nil, 0)
	a.set("/pwa/secret/kid", nil, -1)
	a.delete("/pwa/secret/kid", -1)
	a.delete("/pwa/secret", -1)
	b.settle()
	a.setACL("/pwa", acls{{31, "auth", ""}}, -1)
	b.addWatch("/pwa", 0)
	a.create("/pwa/open", nil, 0)
	a.set("/pwa", nil, -1)
	b.settle()
	a.close()
	b.close()
}
