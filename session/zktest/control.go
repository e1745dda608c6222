package zktest

import (
	"errors"
	"fmt"
	"time"
)

// Server is one server of an ensemble, for faults that concern it. Its methods may be called from
// any goroutine.
type Server struct{ s *server }

// Server returns the server with the given id, counted from 1. It panics when there is none.
func (e *Ensemble) Server(id int) *Server {
	if id < 1 || id > len(e.servers) {
		panic(fmt.Sprintf("zktest: Server(%d): the ensemble's servers have the ids 1 to %d", id, len(e.servers)))
	}
	return &Server{e.servers[id-1]}
}

// Servers returns all servers in order of their ids.
func (e *Ensemble) Servers() []*Server {
	var list []*Server
	for _, s := range e.servers {
		list = append(list, &Server{s})
	}
	return list
}

// Leader returns the server that leads, or nil while none does. If an old leader has not noticed
// yet that it is alone, Leader returns the new one.
func (e *Ensemble) Leader() *Server {
	var l *Server
	e.do(func() {
		if s := e.leader(); s != nil {
			l = &Server{s}
		}
	})
	return l
}

// Followers returns the servers that follow a leader and serve clients.
func (e *Ensemble) Followers() []*Server {
	var list []*Server
	e.do(func() {
		for _, s := range e.servers {
			if s.role == following && s.serving {
				list = append(list, &Server{s})
			}
		}
	})
	return list
}

// ID returns the server's number, from 1.
func (x *Server) ID() int { return x.s.id }

// Addr returns its address for clients.
func (x *Server) Addr() string { return x.s.addr }

// Zxid returns the last transaction that the server has applied.
func (x *Server) Zxid() int64 {
	var z int64
	x.s.e.do(func() { z = x.s.tree.zxid })
	return z
}

// Nodes lists the znodes as this server has them; see [Ensemble.Nodes].
func (x *Server) Nodes() []Node {
	var list []Node
	x.s.e.do(func() { list = x.s.nodes() })
	return list
}

// Kill ends the server's process: connections break, what it keeps on disk stays. It refuses
// connections until Start.
func (x *Server) Kill() {
	x.fault("killed", func(s *server) {
		if s.role == down {
			return
		}
		s.unpeer()
		s.term++
		s.role = down
		s.lead, s.peer = nil, nil
		s.serving = false
		s.holding, s.held, s.taken = false, nil, nil
		s.life++
		s.inbox = queue[task]{}
		for _, c := range sortConns(s.e.live) {
			if c.srv == s {
				c.reset()
			}
		}
		s.e.network.unlisten(s)
	})
}

// Start starts a killed server again, at its old address. Over TCP that fails when something else
// has taken the port meanwhile.
func (x *Server) Start() error {
	err := errClosed
	x.fault("started", func(s *server) {
		err = nil
		if s.role != down {
			return
		}
		if err = s.e.network.listen(s); err == nil {
			s.begin()
		}
	})
	return err
}

// Freeze stops the server's process like SIGSTOP: connections stay, and what arrives waits until
// Thaw.
func (x *Server) Freeze() { x.fault("frozen", func(s *server) { s.frozen = true }) }

// Thaw lets it run again. What has come meanwhile is handled in the order in which it came, its own
// timers included.
func (x *Server) Thaw() {
	x.fault("thawed", func(s *server) {
		s.frozen = false
		s.pump()
	})
}

// Slow makes the server handle everything d late. 0 ends that.
func (x *Server) Slow(d time.Duration) {
	x.fault("slow by "+d.String(), func(s *server) { s.slow = d })
}

// DelayPings makes each round of the server's ping loop, which it runs while it leads, d late. 0
// ends that.
func (x *Server) DelayPings(d time.Duration) {
	x.fault("pings late by "+d.String(), func(s *server) { s.late = d })
}

// StopPings makes the server's ping loop stand still until ResumePings, while it leads. The server
// then learns of no sign of life of its followers' clients. It does not count its followers, and
// does not drop one that acknowledges nothing. Proposals and commits go on, and as long as they do,
// no server gives up another. A real server does that while it closes the connection of a follower
// that does not read, with TLS between servers and without leader.closeSocketAsync. The closing
// takes seconds to minutes. Use StopPings to see what depends on pings.
func (x *Server) StopPings() { x.fault("pings stop", func(s *server) { s.noPings = true }) }

// ResumePings lets the ping loop run again.
func (x *Server) ResumePings() { x.fault("pings resume", func(s *server) { s.noPings = false }) }

// HoldRequests makes the thread of a follower that takes the requests of its clients stand still
// until ReleaseRequests. The server goes on reading them. They count as signs of life, but they are
// neither answered, pings included, nor forwarded. All other threads go on: the server handles
// handshakes of sessions that come back, and what the ZooKeeper leader sends. A server that leads
// ignores it.
//
// After that the requests go on in their order, also those whose connection is closed by then. The
// ZooKeeper leader takes a session's writes from the server at which the last handshake was. So if
// the session has left, they are refused. But if a handshake has brought the session back
// meanwhile, they are carried out, after what the client has written elsewhere. That handshake may
// be one that the client has given up.
//
// If the server leaves its leader while it holds requests, it forgets all but the oldest, which the
// thread has taken. It holds nothing any more when it serves again. But that oldest one, if it is a
// write, is still forwarded at ReleaseRequests, to the leader of then. After Kill nothing is left.
//
// Real servers do all this when the thread, FollowerRequestProcessor, gets no time to run. Use it
// to see what depends on the order of a session's writes.
func (x *Server) HoldRequests() {
	x.fault("requests held", func(s *server) {
		s.holding = true
		s.holds++
	})
}

// ReleaseRequests lets the thread go on.
func (x *Server) ReleaseRequests() { x.fault("requests released", (*server).letGo) }

// DelayExpiry makes the server's session tracker, while it leads, need the time d to close a
// session. It still takes all sessions whose timeout ends in one tick at once. But it closes the
// first of them d later, the next one d after that, and so on. Until then such a session seems to
// live: the servers accept signs of life of it, its client may reconnect, its requests are carried
// out. Then it is closed all the same. Other sessions expire only after those are closed.
//
// Real servers, from 3.5.0 on, do so while their tracker's thread is held up, or has many sessions
// to close. Use it for clients that come back when their session's time is over, with a d near the
// time that they need. 0, the default, ends it, and closes at once the sessions that have been
// taken: see the field Taken of [Session].
func (x *Server) DelayExpiry(d time.Duration) {
	x.fault("expiry takes "+d.String(), func(s *server) {
		s.expiryLag = d
		s.post(func() {
			if s.lead != nil && s.lead.established {
				s.lead.expireLoop()
			}
		})
	})
}

// StepClock makes the server's clock jump by d, back if d is negative. Steps add up; the default is
// none. While the server leads, the sessions that exist expire d earlier, in the next tick if their
// time is over by then, or d later, and transactions carry the new time. Everything else goes by a
// clock that does not jump.
//
// Servers before 3.4.11, servers of 3.5.0, and ClickHouse Keeper count sessions with the wall
// clock. Newer ones do not, so do not use it to imitate newer ones. Details are as in 3.5.0: a
// session that is heard of after a step back of about its timeout or more may never expire, unless
// it is heard of later or the leader changes. After a step back, 3.5.0 also sends no pings until
// its clock is where it was: add StopPings for that.
func (x *Server) StepClock(d time.Duration) {
	x.fault("clock steps by "+d.String(), func(s *server) { s.step += d })
}

// Isolate holds the links between this server and all others, both ways. Its clients still reach
// it.
func (x *Server) Isolate() { x.s.e.eachLink(x.s, (*Link).Hold) }

// Rejoin heals all links of the server.
func (x *Server) Rejoin() { x.s.e.eachLink(x.s, (*Link).Heal) }

func (e *Ensemble) eachLink(s *server, fn func(*Link)) {
	for _, o := range e.servers {
		if o != s {
			fn(e.link(s, o))
			fn(e.link(o, s))
		}
	}
}

// Link returns the direction from one server to another. It panics when they are the same.
func (e *Ensemble) Link(from, to *Server) *Link {
	if from.s == to.s {
		panic(fmt.Sprintf("zktest: Link: server %d has no link to itself", from.s.id))
	}
	return e.link(from.s, to.s)
}

// SetSessionLimits sets this server's own limits of session timeouts. In a real ensemble they
// should be the same everywhere. If they differ, every handshake may change a session's timeout.
func (x *Server) SetSessionLimits(shortest, longest time.Duration) {
	x.fault("session limits "+shortest.String()+" to "+longest.String(), func(s *server) {
		s.minT, s.maxT = shortest, longest
	})
}

// SetRelease changes the release that the server imitates, for an ensemble in the middle of an
// upgrade. It panics if that release is not imitated. An upgrade kills a server, sets its release
// and starts it.
func (x *Server) SetRelease(r Release) {
	if !r.known() {
		panic(fmt.Sprintf("zktest: SetRelease(%q): want one of %q", r, imitated))
	}
	x.fault("release "+string(r), func(s *server) { s.release = r })
}

func (x *Server) fault(what string, fn func(*server)) {
	x.s.e.do(func() {
		if x.s.e.stopped {
			return
		}
		x.s.e.logf("fault: server %d: %s", x.s.id, what)
		fn(x.s)
	})
}

var errClosed = errors.New("zktest: the ensemble is closed")
