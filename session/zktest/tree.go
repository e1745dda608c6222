package zktest

import (
	"maps"
	"slices"
)

// node is one znode as a server stores it. Its cversion counts creates only; what clients see is
// derived in stat.
type node struct {
	data                       []byte
	acl                        []grant
	czxid, mzxid, ctime, mtime int64
	version, cversion          int32
	aversion                   int32
	owner                      int64 // session, 0, containerOwner, or ttlOwner with a time
	pzxid                      int64
	children                   map[string]bool
}

// stat returns what clients are told. The visible cversion counts creates and deletes: every create
// that is no longer there has been a delete, too.
func (n *node) stat() Stat {
	owner := n.owner
	if !isSession(owner) {
		owner = 0
	}
	kids := int32(len(n.children))
	return Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: n.cversion*2 - kids, Aversion: n.aversion,
		EphemeralOwner: owner, DataLength: int32(len(n.data)), NumChildren: kids, Pzxid: n.pzxid,
	}
}

// tree is one server's applied state: the znodes, the sessions that exist, and the zxid of the last
// transaction. It is data only; the one that holds it guards it.
type tree struct {
	nodes    map[string]*node
	sessions map[int64]int64 // id -> timeout in milliseconds, as last created
	owned    map[int64]map[string]bool
	zxid     int64
	wraps    bool // cversion wraps around after 2^31-1, see Config.SequenceWraps
}

func newTree() *tree {
	readOnly := []grant{{permRead, "world", "anyone"}}
	t := &tree{nodes: map[string]*node{}, sessions: map[int64]int64{}, owned: map[int64]map[string]bool{}}
	t.nodes["/"] = &node{data: []byte{}, children: map[string]bool{"zookeeper": true}}
	t.nodes["/zookeeper"] = &node{data: []byte{}, children: map[string]bool{"quota": true, "config": true}}
	t.nodes["/zookeeper/quota"] = &node{data: []byte{}}
	t.nodes["/zookeeper/config"] = &node{data: []byte{}, acl: readOnly, aversion: -1}
	return t
}

// get finds a znode; the root has the empty path as a second name.
func (t *tree) get(path string) *node {
	if path == "" {
		path = "/"
	}
	return t.nodes[path]
}

// clone copies everything a later transaction could change.
func (t *tree) clone() *tree {
	c := &tree{sessions: maps.Clone(t.sessions), zxid: t.zxid, wraps: t.wraps,
		nodes: make(map[string]*node, len(t.nodes)), owned: map[int64]map[string]bool{}}
	for path, n := range t.nodes {
		m := *n // data and acl are replaced as a whole, never written into
		m.children = maps.Clone(n.children)
		c.nodes[path] = &m
	}
	for id, paths := range t.owned {
		c.owned[id] = maps.Clone(paths)
	}
	return c
}

// ephemerals lists a session's ephemeral znodes in order.
func (t *tree) ephemerals(session int64) []string {
	return slices.Sorted(maps.Keys(t.owned[session]))
}

// txn is a transaction: what the ZooKeeper leader decided, in a form that every server can apply
// without deciding anything again.
type txn struct {
	zxid    int64
	time    int64 // milliseconds since 1970
	session int64
	cxid    int32
	req     Op // the request it answers
	op      Op // what to do; OpError for a refused request
	err     Code

	path    string
	data    []byte
	acl     []grant
	owner   int64 // create: the ephemeral owner
	version int32 // the version to set; for a create the parent's cversion
	timeout int64 // createSession
	paths   []string
	sub     []*txn // multi
}

// change is one effect of a transaction that watches can see.
type change struct {
	event     eventType
	zxid      int64
	path      string
	acl       []grant // of the znode
	parent    string  // set when its children changed, too
	parentACL []grant
}

// result is what applying a transaction yields for the reply.
type result struct {
	path string
	stat Stat
	subs []*txn // multi: the sub-transactions as they were applied
	res  []result
}

// apply carries t out and reports each change through seen, in the order in which a server notifies
// watchers.
func (t *tree) apply(x *txn, seen func(change)) result {
	r := t.applyOne(x, x, seen)
	if x.zxid > t.zxid {
		t.zxid = x.zxid
	}
	return r
}

func (t *tree) applyOne(x, head *txn, seen func(change)) result {
	switch x.op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		t.create(x, head, seen)
		return result{path: x.path, stat: t.nodes[x.path].stat()}
	case OpDelete, OpDeleteContainer:
		t.remove(x.path, head.zxid, seen)
	case OpSetData:
		n := t.get(x.path)
		n.data, n.version, n.mzxid, n.mtime = x.data, x.version, head.zxid, head.time
		seen(change{event: nodeDataChanged, zxid: head.zxid, path: x.path, acl: n.acl})
		return result{path: x.path, stat: n.stat()}
	case OpSetACL:
		n := t.get(x.path)
		n.acl, n.aversion = x.acl, x.version
		return result{path: x.path, stat: n.stat()}
	case OpCreateSession:
		t.sessions[x.session] = x.timeout
	case OpCloseSession:
		for _, path := range x.paths {
			t.remove(path, head.zxid, seen)
		}
		delete(t.sessions, x.session)
		delete(t.owned, x.session)
	case OpMulti:
		return t.applyMulti(x, seen)
	}
	return result{path: x.path}
}

// applyMulti applies all or nothing. A failed multi reports the error at its place, "ok" before it
// and "runtime inconsistency" after it.
func (t *tree) applyMulti(x *txn, seen func(change)) result {
	r := result{subs: x.sub}
	for _, sub := range x.sub {
		if sub.op == OpError {
			r.subs = failedMulti(x.sub)
			return r
		}
	}
	r.res = make([]result, 0, len(x.sub))
	for _, sub := range x.sub {
		r.res = append(r.res, t.applyOne(sub, x, seen))
	}
	return r
}

func failedMulti(subs []*txn) []*txn {
	list := make([]*txn, len(subs))
	for i, sub := range subs {
		e := &txn{op: OpError}
		if sub.op == OpError {
			e.err = sub.err
		}
		list[i] = e
	}
	return list
}

func (t *tree) create(x, head *txn, seen func(change)) {
	dir, name, _ := splitPath(x.path)
	parent := t.get(dir)
	cversion := x.version
	if cversion == -1 {
		cversion = parent.cversion + 1
	}
	// Servers since 3.6 never lower the count, so that replaying a log over a newer snapshot does
	// no harm. It also means that it sticks at 2^31-1.
	if cversion > parent.cversion || t.wraps {
		parent.cversion, parent.pzxid = cversion, head.zxid
	}
	if parent.children == nil {
		parent.children = map[string]bool{}
	}
	parent.children[name] = true
	t.nodes[x.path] = &node{data: x.data, acl: x.acl, owner: x.owner,
		czxid: head.zxid, mzxid: head.zxid, pzxid: head.zxid, ctime: head.time, mtime: head.time}
	if isSession(x.owner) {
		if t.owned[x.owner] == nil {
			t.owned[x.owner] = map[string]bool{}
		}
		t.owned[x.owner][x.path] = true
	}
	seen(change{event: nodeCreated, zxid: head.zxid, path: x.path, acl: x.acl, parent: orRoot(dir), parentACL: parent.acl})
}

func (t *tree) remove(path string, zxid int64, seen func(change)) {
	dir, name, _ := splitPath(path)
	parent, n := t.get(dir), t.get(path)
	if parent == nil || n == nil {
		return // deleted by an earlier transaction of the same batch
	}
	delete(parent.children, name)
	if zxid > parent.pzxid {
		parent.pzxid = zxid
	}
	delete(t.nodes, path)
	delete(t.owned[n.owner], path)
	seen(change{event: nodeDeleted, zxid: zxid, path: path, acl: n.acl, parent: orRoot(dir), parentACL: parent.acl})
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
