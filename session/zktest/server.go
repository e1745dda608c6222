package zktest

import (
	"fmt"
	"time"
)

// role is what a server is doing in the ensemble.
type role int

const (
	down role = iota
	looking
	following
	leading
)

func (r role) String() string {
	switch r {
	case down:
		return "down"
	case looking:
		return "looking"
	case following:
		return "following"
	case leading:
		return "leading"
	}
	return fmt.Sprintf("role(%d)", int(r))
}

// server is one ZooKeeper server. Its fields fall into what a real one keeps on disk, what it loses
// with its process, and what it loses whenever it stops serving.
type server struct {
	e    *Ensemble
	id   int
	addr string

	// On disk.
	tree          *tree
	tail          []*txn // logged and acknowledged, not known to be committed
	unreported    []*txn // applied when this server left its quorum, see fastForward
	acceptedEpoch int64
	currentEpoch  int64
	minT, maxT    time.Duration
	release       Release

	// In the process.
	role    role
	frozen  bool
	slow    time.Duration
	inbox   queue[task]
	pumping bool
	life    int // changes when the process ends; its tasks die with it
	term    int // changes with the role; timers of the old one do nothing
	nextID  int64
	phase   time.Duration // of this server's clock against the tick
	step    time.Duration // of its clock, by faults

	// Faults of its threads, while it leads.
	late      time.Duration // the ping loop's extra delay
	noPings   bool          // the ping loop stands still
	expiryLag time.Duration // what the tracker takes over each session that it closes

	// While it follows: the thread that takes the requests of its clients, see HoldRequests.
	holding bool
	holds   int        // how often it has been stopped
	taken   []*request // what such threads have taken that were left behind

	// While serving.
	serving      bool
	conns        map[*conn]bool
	bySession    map[int64]*conn
	watches      watches
	pending      map[int64][]*request
	lead         *leadership
	peer         *peering // to the leader, while following
	touched      map[int64]time.Duration
	revalidating map[int64]*conn
	syncs        []*request
	stalled      []*request // see LoseTouch
	held         []*request // see HoldRequests; the thread has taken the first
}

type task struct {
	at   time.Duration
	life int
	fn   func()
}

func newServer(e *Ensemble, id int) *server {
	s := &server{e: e, id: id, tree: newTree(), minT: e.cfg.MinSessionTimeout, maxT: e.cfg.MaxSessionTimeout, release: e.cfg.Release}
	s.tree.wraps = e.cfg.SequenceWraps || e.cfg.Release.countsWrap()
	s.conns, s.watches = map[*conn]bool{}, newWatches()
	s.bySession = map[int64]*conn{}
	return s
}

// post runs fn in the server's process: after everything posted before, later when the server is
// slow, and not before it thaws when it is frozen.
func (s *server) post(fn func()) {
	at := s.e.now + s.slow
	if s.inbox.len() > 0 {
		at = max(at, s.inbox.newest().at)
	}
	s.inbox.push(task{at, s.life, fn})
	s.pump()
}

// pump hands out the tasks that are due, one per turn of the loop.
func (s *server) pump() {
	if s.pumping || s.frozen || s.inbox.len() == 0 {
		return
	}
	s.pumping = true
	run := func() {
		s.pumping = false
		if s.frozen || s.inbox.len() == 0 {
			return
		}
		if t := s.inbox.pop(); t.life == s.life {
			t.fn()
		}
		s.pump()
	}
	if at := s.inbox.oldest().at; at > s.e.now {
		s.e.at(at, run)
	} else {
		s.e.soon(run)
	}
}

// after runs fn in the process d from now, unless the server has changed its role by then.
func (s *server) after(d time.Duration, fn func()) *event {
	term := s.term
	return s.e.after(d, func() {
		s.post(func() {
			if s.term == term {
				fn()
			}
		})
	})
}

// clock is the time that this server counts sessions with.
func (s *server) clock() time.Duration { return s.e.now + s.step }

// wallMillis is the time that it gives to transactions.
func (s *server) wallMillis() int64 { return s.e.wallMillis() + s.step.Milliseconds() }

// owner is what a session is bound to when its client is attached here: the leader's own clients
// share one value, those of a follower its peering.
func (s *server) owner() any {
	if s.peer != nil {
		return s.peer
	}
	return s
}

// stopServing drops every client. Sessions are not touched.
func (s *server) stopServing() {
	s.serving = false
	for _, c := range sortConns(s.conns) {
		c.close()
	}
	s.pending = map[int64][]*request{}
	s.touched = map[int64]time.Duration{}
	s.revalidating = map[int64]*conn{}
	s.syncs, s.stalled = nil, nil
	s.abandon()
}

// startServing opens the server for clients.
func (s *server) startServing() {
	s.pending = map[int64][]*request{}
	s.revalidating = map[int64]*conn{}
	s.syncs = nil
	s.serving = true
	s.nextID = max(s.nextID, s.firstSessionID())
}

// firstSessionID puts the server's id in the top byte and the time in the next five, so that ids of
// a restarted server do not repeat.
func (s *server) firstSessionID() int64 {
	id := s.id
	if len(s.e.servers) == 1 {
		id = 0 // a server that is not part of an ensemble has no id
	}
	return int64(id)<<56 | int64(uint64(s.e.wallMillis())<<24>>8)
}

// sessionID makes a new session's id.
func (s *server) sessionID() int64 {
	id := s.nextID
	s.nextID++
	return id
}

// clamp applies this server's limits to a requested timeout.
func (s *server) clamp(d time.Duration) time.Duration {
	return min(max(d, s.minT), s.maxT)
}

// handshake handles a connect request.
func (s *server) handshake(c *conn, f []byte) {
	d := decoder{b: f}
	d.int32() // the protocol's version is not looked at
	seen, timeout, id, password := d.int64(), d.int32(), d.int64(), d.buffer()
	if d.bad {
		c.close()
		return
	}
	if c.old = len(d.b) == 0; !c.old {
		d.bool()
	}
	s.e.count(OpConnect)
	info := Request{Server: s.id, Host: c.host.name(), Session: id, Op: OpConnect, Bytes: len(f)}
	s.e.observe(info)
	if seen > s.tree.zxid {
		s.e.logf("server %d refuses a client that has seen zxid 0x%x, mine is 0x%x", s.id, seen, s.tree.zxid)
		c.close()
		return
	}
	c.timeout = s.clamp(time.Duration(timeout) * time.Millisecond)
	if v := s.e.judge(info); v.kind != pass {
		if v.loseRequest(c) {
			return
		}
		c.verdict = v
	}
	if id == 0 || s.e.cfg.Keeper {
		c.session = s.sessionID()
		s.bySession[c.session] = c
		s.submit(&request{conn: c, session: c.session, op: OpCreateSession, timeout: c.timeout})
		return
	}
	if old := s.bySession[id]; old != nil {
		old.close()
	}
	c.session = id
	s.bySession[id] = c
	if !s.e.isPassword(id, password) {
		c.confirm(false)
		return
	}
	s.revalidate(c)
}

// revalidate asks the leader whether a session that comes back still exists. The leader stamps it:
// this and ping replies are all that extends the session of a follower's client.
func (s *server) revalidate(c *conn) {
	if s.lead != nil {
		ok := s.lead.touch(c.session, c.timeout)
		s.lead.tracker.setOwner(c.session, s)
		c.confirm(ok)
		return
	}
	s.revalidating[c.session] = c
	s.peer.toLeader(PacketRevalidate, func(l *leadership, p *peering) {
		ok := l.touch(c.session, c.timeout)
		if ok {
			l.tracker.setOwner(c.session, p)
		}
		p.toFollower(PacketRevalidateReply, func() { s.revalidated(c.session, ok) })
	})
}

func (s *server) revalidated(session int64, ok bool) {
	if c := s.revalidating[session]; c != nil {
		delete(s.revalidating, session)
		c.confirm(ok)
	}
}
