package zktest

import "time"

// request is one client request on its way through the servers.
type request struct {
	conn    *conn // nil at servers the client is not connected to
	session int64
	xid     int32
	op      Op
	args    args
	bad     bool // something is wrong with the parameters
	unread  bool // they could not even be decoded
	ids     []identity
	owner   any           // see server.owner
	timeout time.Duration // createSession
	verdict verdict       // what a fault wants done with it
	code    Code          // refused before it got a transaction
	txn     *txn          // once committed
	synced  bool          // a sync that the leader has answered
}

// request decodes a frame and passes it on.
func (s *server) request(c *conn, f []byte) {
	d := decoder{b: f}
	xid, op := d.int32(), Op(d.int32())
	if d.bad {
		c.close()
		return
	}
	r := &request{conn: c, session: c.session, xid: xid, op: op, owner: s.owner()}
	if op == OpAuth {
		s.auth(r, &d, len(f))
		return
	}
	if op == OpSASL {
		s.sasl(r, &d, len(f))
		return
	}
	d.kinds, d.pure = s.release.multiKeepsKinds(), s.release == Release3510
	r.args = decodeArgs(op, &d)
	r.bad, r.unread = d.bad || d.null, d.bad
	r.ids = c.ids // the list only grows, at its end
	s.e.count(op)
	info := Request{Server: s.id, Host: c.host.name(), Session: c.session, Op: op,
		Path: r.args.path, Xid: xid, Bytes: len(f)}
	for _, op := range r.args.ops {
		info.Paths = append(info.Paths, op.path)
	}
	if len(info.Paths) > 0 {
		info.Path = info.Paths[0]
	}
	s.e.observe(info)
	r.verdict = s.e.judge(info)
	if r.verdict.loseRequest(c) {
		return
	}
	s.submit(r)
}

// auth adds an identity. It is answered out of order: auth requests do not queue behind writes.
func (s *server) auth(r *request, d *decoder, size int) {
	c := r.conn
	d.int32()
	scheme, credential := d.string(), d.buffer()
	if d.bad {
		c.close()
		return
	}
	s.e.count(OpAuth)
	s.e.observe(Request{Server: s.id, Host: c.host.name(), Session: c.session,
		Op: OpAuth, Xid: r.xid, Bytes: size})
	id := identity{"ip", c.ip}
	switch scheme {
	case "digest":
		id = digestID(string(credential))
	case "ip":
	default:
		c.reply(r.xid, 0, CodeAuthFailed, nil)
		c.close()
		return
	}
	for _, have := range c.ids {
		if have == id {
			c.reply(r.xid, 0, CodeOK, nil)
			return
		}
	}
	c.ids = append(c.ids, id)
	c.reply(r.xid, 0, CodeOK, nil)
}

// process goes on after the touch.
func (s *server) process(r *request) {
	r.owner = s.owner()
	if r.op != OpCreateSession && !(r.op.isKnown() && s.release.knows(r.op)) {
		r.conn.reply(r.xid, -1, CodeUnimplemented, nil)
		r.conn.close()
		return
	}
	switch {
	case s.lead != nil:
		s.lead.take(r)
	case !s.isHeld(r):
		s.pass(r)
	}
}

// forward sends to the leader what the leader has to decide.
func (s *server) forward(r *request) {
	if r.op == OpSync {
		s.syncs = append(s.syncs, r)
		s.peer.toLeader(PacketRequest, func(l *leadership, p *peering) { l.sync(p) })
		return
	}
	if !r.op.isWrite() {
		return
	}
	fwd := *r
	fwd.conn = nil
	s.peer.toLeader(PacketRequest, func(l *leadership, p *peering) {
		fwd.owner = p
		l.take(&fwd)
	})
}

// waits tells whether r needs word from the leader before it can be answered.
func (s *server) waits(r *request) bool {
	if r.op == OpSync {
		return s.lead == nil && !r.synced
	}
	return r.op.isWrite()
}

// enqueue answers a read at once, unless a write of the same session is still on its way: a
// session's requests are answered in order, pings included.
func (s *server) enqueue(r *request) {
	if s.waits(r) || len(s.pending[r.session]) > 0 {
		s.pending[r.session] = append(s.pending[r.session], r)
		return
	}
	s.answer(r)
}

// drainReads answers the reads that a write or sync has held up.
func (s *server) drainReads(session int64) {
	for {
		q := s.pending[session]
		if len(q) == 0 {
			delete(s.pending, session)
			return
		}
		if s.waits(q[0]) {
			return
		}
		s.pending[session] = q[1:]
		s.answer(q[0])
	}
}

// synced handles the leader's answer to the oldest sync of this follower.
func (s *server) synced() {
	if len(s.syncs) == 0 {
		return
	}
	r := s.syncs[0]
	s.syncs = s.syncs[1:]
	if q := s.pending[r.session]; len(q) > 0 && q[0] == r {
		s.pending[r.session] = q[1:]
		s.answer(r)
		s.drainReads(r.session)
		return
	}
	r.synced = true // a write of the same session is still before it
}

// apply applies a committed transaction, notifies watchers, and answers the client that asked for
// it if it is connected here.
func (s *server) apply(x *txn) {
	res := s.tree.apply(x, s.watches.notify)
	if s.lead != nil {
		s.lead.applied(x)
	}
	if x.op == OpCloseSession {
		delete(s.touched, x.session)
	} else if x.op == OpCreateSession && s.lead == nil && s.touched != nil {
		s.touched[x.session] = time.Duration(x.timeout) * time.Millisecond
	}
	q := s.pending[x.session]
	if len(q) > 0 && q[0].xid == x.cxid && q[0].op == x.req {
		r := q[0]
		s.pending[x.session] = q[1:]
		r.txn = x
		s.finish(r, res)
		s.drainReads(x.session)
	} else if x.op == OpCloseSession {
		if c := s.bySession[x.session]; c != nil {
			c.close()
		}
	}
}

// finish answers a write.
func (s *server) finish(r *request, res result) {
	c, x := r.conn, r.txn
	if c == nil {
		if x.op == OpCloseSession {
			if c := s.bySession[x.session]; c != nil {
				c.close()
			}
		}
		return
	}
	if x.op == OpCreateSession {
		c.confirm(true)
		return
	}
	if x.err == CodeSessionMoved || movedInMulti(res) {
		c.close() // told by the broken connection, never by a reply
		return
	}
	if r.verdict.loseReply(c) {
		return
	}
	var w encoder
	writeBody(&w, r.op, x, res)
	c.reply(r.xid, s.tree.zxid, x.err, w.b)
	if r.op == OpCloseSession {
		c.close()
	}
}

func movedInMulti(res result) bool {
	for _, sub := range res.subs {
		if sub.err == CodeSessionMoved {
			return true
		}
	}
	return false
}

// writeBody writes what follows the header of a successful write's reply.
func writeBody(w *encoder, op Op, x *txn, res result) {
	if x.err != CodeOK {
		return
	}
	switch op {
	case OpCreate:
		w.string(res.path)
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		w.string(res.path)
		w.stat(res.stat)
	case OpSetData, OpSetACL:
		w.stat(res.stat)
	case OpMulti:
		multiBody(w, res)
	}
}

// multiBody writes one result per operation, then the header that says done.
func multiBody(w *encoder, res result) {
	for i, sub := range res.subs {
		op := sub.op
		if op == OpCreateContainer || op == OpCreateTTL {
			op = OpCreate2 // which also has a Stat in its result
		}
		w.int32(int32(op))
		w.bool(false)
		if op == OpError {
			w.int32(int32(sub.err))
			w.int32(int32(sub.err))
			continue
		}
		w.int32(0)
		writeBody(w, op, sub, res.res[i])
	}
	w.int32(-1)
	w.bool(true)
	w.int32(-1)
}
