package zktest

import "time"

// leadership is what a server has while it leads: the only place where requests are decided and
// sessions expire. A server that is alone leads itself, with a quorum of one.
type leadership struct {
	e       *Ensemble
	srv     *server
	head    head
	tracker tracker

	epoch       int64
	established bool
	peers       []*peering // followers, in order of arrival
	proposals   []*proposal
	syncs       map[int64][]*peering // by the zxid they wait for
	tick        int
	skip        bool
	round       int // of the session tracker's thread, see wake
}

// proposal is a transaction that waits for a quorum of acknowledgements.
type proposal struct {
	txn  *txn
	acks map[int]bool
}

func newLeadership(s *server) *leadership {
	l := &leadership{e: s.e, srv: s, syncs: map[int64][]*peering{}}
	l.head = head{tree: s.tree, zxid: s.tree.zxid, recs: map[string]*record{}, looks: s.release.looksBeforeItAsks(), ttl: l.e.cfg.ExtendedTypes}
	l.tracker = tracker{tick: s.e.cfg.Tick, phase: s.phase, sessions: map[int64]*session{}}
	return l
}

// start begins the leader's work once a quorum is in sync: every session gets its full timeout
// again, from now.
func (l *leadership) start() {
	l.established = true
	l.tracker.next = l.tracker.bucket(l.srv.clock())
	for _, id := range sortedKeys(l.srv.tree.sessions) {
		l.tracker.track(id, time.Duration(l.srv.tree.sessions[id])*time.Millisecond, l.srv.clock())
	}
	l.srv.startServing()
	l.expireLoop()
	l.containerLoop()
	if len(l.e.servers) > 1 {
		l.pingLoop(l.e.random(l.e.cfg.Tick / 2))
	}
}

func (l *leadership) touch(id int64, timeout time.Duration) bool {
	return l.tracker.touch(id, timeout, l.srv.clock())
}

// expireLoop is the session tracker's thread. It takes a bucket when it ends, and closes its
// sessions one after the other; meanwhile it takes no other.
func (l *leadership) expireLoop() {
	for t := &l.tracker; len(t.taken) > 0 || t.take(l.srv.clock()); {
		for len(t.taken) > 0 {
			if lag := l.srv.expiryLag; lag > 0 {
				l.wake(lag, func() {
					l.closeNext()
					l.expireLoop()
				})
				return
			}
			l.closeNext()
		}
	}
	l.wake(l.tracker.next-l.srv.clock(), l.expireLoop)
}

// wake lets the thread sleep for d and then call fn, in place of what it waited for before.
func (l *leadership) wake(d time.Duration, fn func()) {
	l.round++
	round := l.round
	l.srv.after(d, func() {
		if l.round == round {
			fn()
		}
	})
}

func (l *leadership) closeNext() {
	id := l.tracker.taken[0]
	l.tracker.taken = l.tracker.taken[1:]
	l.e.logf("session 0x%x expires", id)
	l.expire(id)
}

// expire closes a session on the leader's own account.
func (l *leadership) expire(id int64) {
	l.tracker.setClosing(id)
	l.take(&request{session: id, op: OpCloseSession, owner: l.srv})
}

// containerLoop deletes containers whose last child has gone, and znodes whose time is over.
func (l *leadership) containerLoop() {
	l.srv.after(l.e.cfg.ContainerCheck, func() {
		for _, path := range sortedKeys(l.srv.tree.nodes) {
			n := l.srv.tree.nodes[path]
			if n != nil && len(n.children) == 0 && l.over(n) {
				l.take(&request{op: OpDeleteContainer, args: args{op: OpDeleteContainer, path: path}, owner: l.srv})
			}
		}
		l.containerLoop()
	})
}

// over reports whether a znode without children is one that the servers delete.
func (l *leadership) over(n *node) bool {
	if ttl := timeToLive(n.owner); ttl > 0 {
		return l.srv.wallMillis()-n.mtime > ttl.Milliseconds()
	}
	return n.owner == containerOwner && n.cversion > 0
}

// take decides a request: of the leader's own client, or forwarded by a follower, or the leader's
// own.
func (l *leadership) take(r *request) {
	if !r.op.isWrite() {
		r.code = l.tracker.check(r.session, r.owner)
		l.srv.enqueue(r)
		return
	}
	x := l.prepare(r)
	l.srv.enqueue(r)
	l.propose(x)
}

// prepare makes the transaction. A refused request makes one, too, and consumes a zxid like every
// other.
func (l *leadership) prepare(r *request) *txn {
	if !r.unread || r.op == OpMulti || l.e.quorum() > 1 || l.srv.release.unreadTakesZxid() {
		l.head.zxid++
	}
	x, code := l.decide(r)
	l.head.undo = nil
	if code != CodeOK {
		x = &txn{op: OpError, err: code}
	}
	x.zxid, x.time = l.head.zxid, l.srv.wallMillis()
	x.session, x.cxid, x.req = r.session, r.xid, r.op
	return x
}

func (l *leadership) decide(r *request) (*txn, Code) {
	switch {
	case r.verdict.code != CodeOK:
		return nil, r.verdict.code
	case r.bad:
		return nil, CodeMarshallingError
	}
	one := func(a args) (*txn, Code) {
		if a.op != OpDeleteContainer { // the leader's own, of no session
			if code := l.tracker.check(r.session, r.owner); code != CodeOK {
				return nil, code
			}
		}
		return l.head.prepare(a, l.head.zxid, r.session, r.ids)
	}
	switch r.op {
	case OpCreateSession:
		l.tracker.track(r.session, r.timeout, l.srv.clock())
		l.tracker.setOwner(r.session, r.owner)
		return &txn{op: OpCreateSession, timeout: r.timeout.Milliseconds()}, CodeOK
	case OpCloseSession:
		x := l.head.prepareClose(l.head.zxid, r.session)
		l.tracker.setClosing(r.session)
		return x, CodeOK
	case OpMulti:
		return l.head.prepareMulti(r.args.ops, l.head.zxid, one), CodeOK
	}
	return one(r.args)
}

// propose sends a transaction to the followers and logs it here.
func (l *leadership) propose(x *txn) {
	p := &proposal{txn: x, acks: map[int]bool{l.srv.id: true}}
	l.proposals = append(l.proposals, p)
	l.srv.tail = append(l.srv.tail, x)
	for _, peer := range l.peers {
		if peer.forwarding {
			peer.propose(x)
		}
	}
	l.commit()
}

// acked counts a follower's acknowledgement, which covers this zxid alone.
func (l *leadership) acked(id int, zxid int64) {
	for _, p := range l.proposals {
		if p.txn.zxid == zxid {
			p.acks[id] = true
		}
	}
	l.commit()
}

// commit commits what a quorum has logged, in order.
func (l *leadership) commit() {
	for len(l.proposals) > 0 && len(l.proposals[0].acks) >= l.e.quorum() {
		x := l.proposals[0].txn
		l.proposals = l.proposals[1:]
		for _, peer := range l.peers {
			if peer.forwarding {
				peer.commit(x.zxid)
			}
		}
		l.e.committed(x)
		l.srv.tail = l.srv.tail[1:]
		l.srv.apply(x)
		for _, peer := range l.syncs[x.zxid] {
			peer.answerSync()
		}
		delete(l.syncs, x.zxid)
	}
}

// applied drops what the leader need not speculate about any more.
func (l *leadership) applied(x *txn) {
	l.head.applied(x.zxid)
	if x.op == OpCloseSession {
		delete(l.tracker.sessions, x.session)
	}
}

// sync answers a follower's sync behind everything proposed before it.
func (l *leadership) sync(p *peering) {
	if n := len(l.proposals); n > 0 {
		last := l.proposals[n-1].txn.zxid
		l.syncs[last] = append(l.syncs[last], p)
		return
	}
	p.answerSync()
}
