package zktest

import (
	"maps"
	"slices"
	"time"
)

// Request is one request as it reached a server.
type Request struct {
	Server  int
	Host    string
	Session int64
	Op      Op
	Path    string   // in a multi, that of the first operation; "" for requests without one
	Paths   []string // of all operations of a multi
	Xid     int32
	Bytes   int // of the frame, without its length
}

// Commit is one transaction that a quorum has accepted.
type Commit struct {
	Zxid    int64
	Time    time.Time
	Session int64
	Op      Op   // what was asked for
	Err     Code // why it changed nothing; failed requests have a zxid, too
	Changes []Change
}

// Change is one znode that a transaction created, changed or deleted, or one that a check or a
// change of ACL was about.
type Change struct {
	Op    Op
	Path  string
	Owner int64 // of a created ephemeral znode
	Data  []byte
}

// Counts are totals since the ensemble started, over all servers.
type Counts struct {
	Requests map[Op]int // as they arrived
	Events   int        // watch events sent
	BytesIn  int64      // frames from clients
	BytesOut int64      // frames to clients
	Commits  int64
}

// Counts returns the totals.
func (e *Ensemble) Counts() Counts {
	var c Counts
	e.do(func() {
		c = e.counts
		c.Requests = maps.Clone(c.Requests)
	})
	return c
}

func (e *Ensemble) count(op Op) { e.counts.Requests[op]++ }

func (e *Ensemble) observe(r Request) {
	e.counts.BytesIn += int64(r.Bytes + 4)
	if e.cfg.OnRequest != nil {
		e.cfg.OnRequest(r)
	}
}

// committed reports a transaction once, whichever server leads.
func (e *Ensemble) committed(x *txn) {
	if x.zxid <= e.reported {
		return
	}
	e.reported = x.zxid
	e.counts.Commits++
	if e.cfg.OnCommit == nil {
		return
	}
	c := Commit{Zxid: x.zxid, Time: time.UnixMilli(x.time), Session: x.session, Op: x.req, Err: x.err}
	c.Changes = changesOf(x)
	for _, sub := range x.sub {
		if sub.op == OpError {
			c.Err, c.Changes = sub.err, nil
			break
		}
		c.Changes = append(c.Changes, changesOf(sub)...)
	}
	e.cfg.OnCommit(c)
}

func changesOf(x *txn) []Change {
	switch x.op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpDeleteContainer, OpSetData, OpSetACL, OpCheck:
		return []Change{{Op: x.op, Path: x.path, Owner: x.owner, Data: x.data}}
	case OpCloseSession:
		var list []Change
		for _, path := range x.paths {
			list = append(list, Change{Op: OpDelete, Path: path})
		}
		return list
	}
	return nil
}

// Node is a znode as a server has it.
type Node struct {
	Path string
	Data []byte
	Stat Stat
}

// Session is a session that exists.
type Session struct {
	ID      int64
	Timeout time.Duration
	Expires time.Duration // from now, unless something is heard before
	Taken   bool          // it is going to be closed whatever is heard, see [Server.DelayExpiry]
	Server  int           // where its client is attached; 0 when nowhere
}

// Watch is one armed watch.
type Watch struct {
	Server  int
	Session int64
	Path    string
	Child   bool // a child watch; else a data or exists watch
	Stays   bool // when it fires: it was added by addWatch
	Below   bool // it fires for everything below, too
}

// newest is the server whose state is furthest.
func (e *Ensemble) newest() *server {
	best := e.servers[0]
	for _, s := range e.servers {
		if s.tree.zxid > best.tree.zxid {
			best = s
		}
	}
	return best
}

// Nodes lists all znodes but ZooKeeper's own, in order of their paths, as the newest server has
// them.
func (e *Ensemble) Nodes() []Node {
	var list []Node
	e.do(func() { list = e.newest().nodes() })
	return list
}

func (s *server) nodes() []Node {
	var list []Node
	for _, path := range sortedKeys(s.tree.nodes) {
		n := s.tree.nodes[path]
		if path != "/" && path != "/zookeeper" && !hasPrefix(path, "/zookeeper/") {
			list = append(list, Node{Path: path, Data: n.data, Stat: n.stat()})
		}
	}
	return list
}

func hasPrefix(path, prefix string) bool {
	return len(path) >= len(prefix) && path[:len(prefix)] == prefix
}

// Sessions lists the sessions that the leader tracks, in order of their ids. Without a leader there
// are none to list.
func (e *Ensemble) Sessions() []Session {
	var list []Session
	e.do(func() {
		l := e.leader()
		if l == nil {
			return
		}
		for _, id := range sortedKeys(l.lead.tracker.sessions) {
			x := l.lead.tracker.sessions[id]
			if !x.closing {
				taken := slices.Contains(l.lead.tracker.taken, id)
				list = append(list, Session{id, x.timeout, x.expires - l.clock(), taken, e.attachedAt(id)})
			}
		}
	})
	return list
}

func (e *Ensemble) attachedAt(session int64) int {
	for _, s := range e.servers {
		if s.bySession[session] != nil {
			return s.id
		}
	}
	return 0
}

// leader returns the server that leads a quorum. If an old leader has not noticed yet that it is
// alone, leader returns the new one.
func (e *Ensemble) leader() *server {
	var best *server
	for _, s := range e.servers {
		if s.lead != nil && s.lead.established && (best == nil || s.lead.epoch > best.lead.epoch) {
			best = s
		}
	}
	return best
}

// Watches lists all armed watches, in order of server, path and session.
func (e *Ensemble) Watches() []Watch {
	var list []Watch
	e.do(func() {
		for _, s := range e.servers {
			list = append(list, s.listWatches(s.watches.data, false)...)
			list = append(list, s.listWatches(s.watches.child, true)...)
		}
	})
	return list
}

func (s *server) listWatches(t *watchTable, child bool) []Watch {
	var list []Watch
	for _, path := range sortedKeys(t.paths) {
		for _, c := range sortConns(t.paths[path]) {
			for _, m := range []watchMode{oneShot, persistent, recursive} {
				if t.paths[path][c]&m != 0 {
					list = append(list, Watch{s.id, c.session, path, child, m != oneShot, m == recursive})
				}
			}
		}
	}
	return list
}
