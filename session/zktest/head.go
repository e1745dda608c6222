package zktest

import "fmt"

// head is the ZooKeeper leader's speculative state: what the tree will be once all its proposals
// are committed. Requests are checked against it, so that a create that is still waiting for
// acknowledgements already makes the next one fail.
//
// It is an overlay over the tree: one record per path that a proposal has touched, dropped when
// that proposal has been applied.
type head struct {
	tree  *tree
	zxid  int64
	recs  map[string]*record
	undo  []undo // the records replaced since the running multi began
	looks bool   // before it asks, see Release.looksBeforeItAsks
	ttl   bool   // Config.ExtendedTypes
}

type undo struct {
	path string
	old  *record
}

// record is a znode as it will be. A nil *record in undo means that there was none; gone means that
// the znode is to be deleted.
type record struct {
	zxid     int64
	gone     bool
	acl      []grant
	version  int32
	cversion int32
	aversion int32
	owner    int64
	children int
}

// lookup returns a copy of what path will be, or false where nothing will.
func (h *head) lookup(path string) (record, bool) {
	if r, ok := h.recs[path]; ok {
		return *r, !r.gone
	}
	n := h.tree.get(path)
	if n == nil {
		return record{}, false
	}
	return record{zxid: -1, acl: n.acl, version: n.version, cversion: n.cversion,
		aversion: n.aversion, owner: n.owner, children: len(n.children)}, true
}

func (h *head) put(path string, zxid int64, r record) {
	h.undo = append(h.undo, undo{path, h.recs[path]})
	r.zxid = zxid
	h.recs[path] = &r
}

// rollback forgets everything put since the undo list was emptied.
func (h *head) rollback() {
	for i := len(h.undo) - 1; i >= 0; i-- {
		if u := h.undo[i]; u.old == nil {
			delete(h.recs, u.path)
		} else {
			h.recs[u.path] = u.old
		}
	}
	h.undo = nil
}

// applied drops the records that are in the tree now.
func (h *head) applied(zxid int64) {
	for path, r := range h.recs {
		if r.zxid <= zxid {
			delete(h.recs, path)
		}
	}
}

// prepare turns one operation into a transaction with the given zxid, or says why not. The order of
// the checks is the server's, error codes depend on it.
func (h *head) prepare(a args, zxid, session int64, ids []identity) (*txn, Code) {
	switch a.op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		return h.prepareCreate(a, zxid, session, ids)
	case OpDelete:
		return h.prepareDelete(a, zxid, ids)
	case OpDeleteContainer:
		return h.prepareDeleteContainer(a, zxid)
	case OpSetData, OpSetACL, OpCheck:
		return h.prepareSet(a, zxid, ids)
	case OpReconfig:
		return nil, CodeReconfigDisabled
	}
	panic(fmt.Sprintf("bug: %v does not make a transaction", a.op))
}

func (h *head) prepareCreate(a args, zxid, session int64, ids []identity) (*txn, Code) {
	switch timed := a.flags == flagTTL || a.flags == flagTTLSeq; {
	case a.flags < 0 || a.flags > flagTTLSeq:
		return nil, CodeBadArguments
	case timed && !h.ttl:
		return nil, CodeUnimplemented
	case timed != (a.op == OpCreateTTL) || timed && (a.ttl < 1 || a.ttl > maxTTL):
		return nil, CodeBadArguments
	}
	dir, _, ok := splitPath(a.path)
	if !ok {
		return nil, CodeBadArguments
	}
	acl, code := fixACL(a.acl, ids)
	if code != CodeOK {
		return nil, code
	}
	parent, ok := h.lookup(dir)
	if !ok {
		return nil, CodeNoNode
	}
	if !allowed(parent.acl, permCreate, ids) {
		return nil, CodeNoAuth
	}
	path := a.path
	if a.flags == flagSequential || a.flags == flagSequential|flagEphemeral || a.flags == flagTTLSeq {
		path = fmt.Sprintf("%s%010d", path, parent.cversion)
	}
	if !validPath(path) {
		return nil, CodeBadArguments
	}
	if _, exists := h.lookup(path); exists {
		return nil, CodeNodeExists
	}
	if isSession(parent.owner) {
		return nil, CodeNoChildrenForEphemerals
	}
	return h.putCreate(a, dir, path, acl, parent, zxid, session), CodeOK
}

// putCreate records a create that has passed its checks.
func (h *head) putCreate(a args, dir, path string, acl []grant, parent record, zxid, session int64) *txn {
	x := &txn{op: a.op, path: path, data: a.data, acl: acl, version: parent.cversion + 1}
	switch {
	case a.op == OpCreateContainer:
		x.owner = containerOwner
	case a.op == OpCreateTTL:
		x.owner = ttlOwner | a.ttl
	case a.flags == flagEphemeral || a.flags == flagEphemeral|flagSequential:
		x.owner = session
	}
	parent.children++
	parent.cversion++
	h.put(dir, zxid, parent)
	h.put(path, zxid, record{acl: acl, owner: x.owner})
	return x
}

func (h *head) prepareDelete(a args, zxid int64, ids []identity) (*txn, Code) {
	dir, _, ok := splitPath(a.path)
	if !ok || isSpecial(a.path) {
		return nil, CodeBadArguments
	}
	parent, ok := h.lookup(dir)
	if !ok {
		return nil, CodeNoNode
	}
	n, ok := h.lookup(a.path)
	if !ok && h.looks {
		return nil, CodeNoNode
	}
	if !allowed(parent.acl, permDelete, ids) {
		return nil, CodeNoAuth
	}
	if !ok {
		return nil, CodeNoNode
	}
	if a.version != -1 && a.version != n.version {
		return nil, CodeBadVersion
	}
	if n.children > 0 {
		return nil, CodeNotEmpty
	}
	return h.putDelete(a.op, dir, a.path, parent, zxid), CodeOK
}

// prepareDeleteContainer is the leader's own clean-up of an empty container.
func (h *head) prepareDeleteContainer(a args, zxid int64) (*txn, Code) {
	dir, _, ok := splitPath(a.path)
	if !ok || isSpecial(a.path) {
		return nil, CodeBadArguments
	}
	n, ok := h.lookup(a.path)
	if !ok {
		return nil, CodeNoNode
	}
	if n.children > 0 {
		return nil, CodeNotEmpty
	}
	if isSession(n.owner) {
		return nil, CodeBadVersion
	}
	parent, ok := h.lookup(dir)
	if !ok {
		return nil, CodeNoNode
	}
	return h.putDelete(a.op, dir, a.path, parent, zxid), CodeOK
}

func (h *head) putDelete(op Op, dir, path string, parent record, zxid int64) *txn {
	parent.children--
	h.put(dir, zxid, parent)
	h.put(path, zxid, record{gone: true})
	return &txn{op: op, path: path}
}

// prepareSet covers the three operations on one existing znode.
func (h *head) prepareSet(a args, zxid int64, ids []identity) (*txn, Code) {
	if !validPath(a.path) {
		return nil, CodeBadArguments
	}
	acl, code := a.acl, CodeOK
	if a.op == OpSetACL {
		if acl, code = fixACL(a.acl, ids); code != CodeOK {
			return nil, code
		}
	}
	n, ok := h.lookup(a.path)
	if !ok {
		return nil, CodeNoNode
	}
	perm, current := permWrite, n.version
	switch a.op {
	case OpSetACL:
		perm, current = permAdmin, n.aversion
	case OpCheck:
		perm = permRead
	}
	if !allowed(n.acl, perm, ids) {
		return nil, CodeNoAuth
	}
	if a.version != -1 && a.version != current {
		return nil, CodeBadVersion
	}
	x := &txn{op: a.op, path: a.path, data: a.data, acl: acl, version: current + 1}
	switch a.op {
	case OpSetData:
		n.version++
		h.put(a.path, zxid, n)
	case OpSetACL:
		// The speculative record keeps the old ACL, as the server's does: the new one counts when
		// the transaction has been applied.
		n.aversion++
		h.put(a.path, zxid, n)
	}
	return x, CodeOK
}

// prepareMulti prepares every operation on top of the one before. After the first failure the rest
// is not tried and nothing of it stays.
func (h *head) prepareMulti(ops []args, zxid int64, prep func(args) (*txn, Code)) *txn {
	x := &txn{op: OpMulti}
	failed := false
	h.undo = nil
	for _, op := range ops {
		if failed {
			x.sub = append(x.sub, &txn{op: OpError, err: CodeRuntimeInconsistency})
			continue
		}
		sub, code := prep(op)
		if code != CodeOK {
			failed = true
			h.rollback()
			sub = &txn{op: OpError, err: code}
		}
		x.sub = append(x.sub, sub)
	}
	return x
}

// prepareClose lists the ephemerals that will exist when the session closes and marks them as gone.
func (h *head) prepareClose(zxid, session int64) *txn {
	paths := map[string]bool{}
	for _, path := range h.tree.ephemerals(session) {
		paths[path] = true
	}
	for path, r := range h.recs {
		switch {
		case r.gone:
			delete(paths, path)
		case r.owner == session:
			paths[path] = true
		}
	}
	list := sortedKeys(paths)
	for _, path := range list {
		// The parent's count of children is left as it is, as the server leaves it: deleting the
		// parent fails until this has been applied.
		h.put(path, zxid, record{gone: true})
	}
	return &txn{op: OpCloseSession, paths: list}
}
