package zktest

import "strings"

// answer answers a request that needs no transaction, from this server's own tree: what it says may
// be old.
func (s *server) answer(r *request) {
	c := r.conn
	if c == nil || c.closed {
		return
	}
	if r.code == CodeSessionMoved {
		c.close()
		return
	}
	code, body := r.code, []byte(nil)
	switch {
	case code != CodeOK:
	case r.verdict.code != CodeOK:
		code = r.verdict.code
	case r.bad:
		code = CodeMarshallingError
	default:
		code, body = s.read(r)
	}
	if r.verdict.loseReply(c) {
		return
	}
	c.reply(r.xid, s.tree.zxid, code, body)
	if code == CodeUnimplemented { // by a rule
		c.close()
	}
}

func (s *server) read(r *request) (Code, []byte) {
	var w encoder
	a, n := r.args, s.tree.get(r.args.path)
	switch r.op {
	case OpPing:
	case OpSync:
		w.string(a.path)
	case OpSetWatches:
		s.watches.reset(s.tree, a, r.conn)
	case OpCheckWatches, OpRemoveWatches:
		return s.watches.ask(a, r.conn), nil
	case OpAddWatch:
		code := s.watches.add(a, r.conn)
		if code == CodeOK {
			w.int32(0) // once more, in the body
		}
		return code, w.b
	case OpExists:
		return s.exists(r, n)
	default:
		if n == nil {
			return CodeNoNode, nil
		}
		return s.readNode(r, n)
	}
	return CodeOK, w.b
}

// exists leaves a watch whether or not there is a znode, unless the client has no right to know.
func (s *server) exists(r *request, n *node) (Code, []byte) {
	a := r.args
	if strings.IndexByte(a.path, 0) >= 0 {
		return CodeBadArguments, nil
	}
	if s.release.existsNeedsRead() && n != nil && !allowed(n.acl, permRead, r.ids) {
		return CodeNoAuth, nil
	}
	if a.watch {
		s.watches.data.add(a.path, r.conn, oneShot)
	}
	if n == nil {
		return CodeNoNode, nil
	}
	var w encoder
	w.stat(n.stat())
	return CodeOK, w.b
}

// readNode covers the reads that need the znode and the right to read it.
func (s *server) readNode(r *request, n *node) (Code, []byte) {
	perm := permRead
	if r.op == OpGetACL {
		perm |= permAdmin
	}
	if !allowed(n.acl, perm, r.ids) {
		return CodeNoAuth, nil
	}
	var w encoder
	switch r.op {
	case OpGetData:
		if r.args.watch {
			s.watches.data.add(r.args.path, r.conn, oneShot)
		}
		w.buffer(n.data)
		w.stat(n.stat())
	case OpGetChildren, OpGetChildren2:
		if r.args.watch {
			s.watches.child.add(r.args.path, r.conn, oneShot)
		}
		w.strings(sortedKeys(n.children))
		if r.op == OpGetChildren2 {
			w.stat(n.stat())
		}
	case OpGetACL:
		acl := n.acl
		if !allowed(n.acl, permAdmin, r.ids) {
			acl = hideDigests(acl)
		}
		if len(acl) == 0 { // ZooKeeper's own znodes are open to everyone
			acl = []grant{{permAll, "world", "anyone"}}
		}
		w.acls(acl)
		w.stat(n.stat())
	}
	return CodeOK, w.b
}
