package zktest

import (
	"slices"
	"time"
)

// wire is the client's end of a connection: a TCP socket or a pipe in memory. Both methods are
// called with the loop's lock held and never wait.
type wire interface {
	write(frame []byte)
	close(reset bool)
}

// conn is one client connection at one server.
type conn struct {
	e      *Ensemble
	srv    *server
	num    int // in order of arrival
	host   *Host
	wire   wire
	ip     string
	in     flow // frames to the server
	out    flow // frames to the client
	faults [2]impair

	session int64
	timeout time.Duration
	begun   bool     // a connect request has come
	open    bool     // the session is confirmed; requests are taken
	early   [][]byte // frames that came between the two
	old     bool     // its connect request had no read-only flag
	ids     []identity
	nonce   string // of a SASL exchange under way
	heard   time.Duration
	idle    *event
	verdict verdict // about the connect request
	closed  bool    // by the server: nothing is read or sent any more
	left    bool    // by the client, whether or not the server knows
	gone    bool    // the wire is closed, too
}

// sessionlessTimeout is how long a server waits for a connect request, and the grain in which it
// notices idle connections (zookeeper.nio.sessionlessCnxnTimeout).
const sessionlessTimeout = 10 * time.Second

// connect makes a connection from host to s. It must be called in the loop.
func (e *Ensemble) connect(s *server, host *Host, w wire, ip string) *conn {
	e.conns++
	c := &conn{e: e, srv: s, num: e.conns, host: host, wire: w, ip: ip,
		timeout: sessionlessTimeout, ids: []identity{{"ip", ip}}, heard: e.now}
	c.in = flow{e: e, state: func() impair { return c.impaired(ToServer) }}
	c.out = flow{e: e, state: func() impair { return c.impaired(ToClient) }}
	e.live[c] = true
	s.post(func() {
		s.conns[c] = true
		c.watchIdle()
	})
	return c
}

// impaired sums the faults on this connection, its host and the latency.
func (c *conn) impaired(d Direction) impair {
	st := c.faults[d].plus(c.e.latency)
	if c.host != nil {
		st = st.plus(c.host.faults[d])
	}
	return st
}

// refault carries on after a change of faults. No TCP stream goes on with a hole in it: instead the
// connection is reset.
func (c *conn) refault() {
	if !c.gone && (c.in.torn() || c.out.torn()) {
		c.e.logf("fault: connection of session 0x%x: reset, as it has lost frames", c.session)
		c.reset()
	}
	c.in.pump()
	c.out.pump()
}

// arrive takes a frame off the wire.
func (c *conn) arrive(f []byte) {
	c.in.send(func() { c.srv.post(func() { c.receive(f) }) })
}

// hangup tells the server that the client closed its end.
func (c *conn) hangup() {
	c.left = true
	c.in.send(func() { c.srv.post(c.close) })
	if c.closed {
		c.drop(false)
	}
}

// receive handles a frame at the server.
func (c *conn) receive(f []byte) {
	switch {
	case c.closed:
	case !c.srv.serving && c.e.cfg.Keeper && !c.begun:
		c.withoutLeader()
	case !c.srv.serving:
		c.close() // "ZooKeeperServer not running"
	case !c.begun:
		c.begun = true
		c.srv.handshake(c, f)
	case !c.open:
		c.early = append(c.early, f)
	default:
		c.heard = c.e.now
		c.srv.request(c, f)
	}
}

// withoutLeader answers a connect request as ClickHouse Keeper does when it has no leader.
func (c *conn) withoutLeader() {
	var w encoder
	w.int32(42)
	w.int32(int32(c.timeout.Milliseconds()))
	w.int64(-1)
	w.buffer(make([]byte, 16))
	c.send(w.b)
	c.close()
}

// confirm answers the connect request; requests that came early follow.
func (c *conn) confirm(valid bool) {
	if c.closed || c.verdict.loseReply(c) {
		return
	}
	var w encoder
	w.int32(0)
	if valid {
		w.int32(int32(c.timeout.Milliseconds()))
		w.int64(c.session)
		if c.e.cfg.Keeper {
			w.buffer(make([]byte, 16)) // it has no passwords
		} else {
			w.buffer(c.e.password(c.session))
		}
	} else {
		w.int32(0)
		w.int64(0)
		w.buffer(make([]byte, 16))
	}
	if !c.old && !c.e.cfg.Keeper {
		w.bool(false) // not read-only
	}
	c.send(w.b)
	if !valid {
		c.close()
		return
	}
	c.open = true
	early := c.early
	c.early = nil
	for _, f := range early {
		c.srv.post(func() { c.receive(f) })
	}
}

// reply answers one request. A nil body is for errors and for operations that answer with the
// header alone.
func (c *conn) reply(xid int32, zxid int64, code Code, body []byte) {
	w := encoder{make([]byte, 0, 16+len(body))}
	w.int32(xid)
	w.int64(zxid)
	w.int32(int32(code))
	w.b = append(w.b, body...)
	c.send(w.b)
}

// sendEvent tells of a change at zxid, -1 where that is not known.
func (c *conn) sendEvent(ev eventType, path string, zxid int64) {
	if !c.srv.release.eventsHaveZxid() {
		zxid = -1
	}
	w := encoder{make([]byte, 0, 28+len(path))}
	w.int32(-1)
	w.int64(zxid)
	w.int32(0)
	w.int32(int32(ev))
	w.int32(3) // SyncConnected
	w.string(path)
	c.e.counts.Events++
	c.send(w.b)
}

func (c *conn) send(body []byte) {
	if c.closed {
		return
	}
	c.heard = c.e.now
	c.e.counts.BytesOut += int64(len(body) + 4)
	f := frame(body)
	c.out.send(func() {
		if !c.gone {
			c.wire.write(f)
		}
	})
}

// close ends the connection from the server's side: what was sent before still reaches the client,
// as on TCP.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.detach()
	if c.left {
		c.drop(false)
		return
	}
	c.out.send(func() { c.drop(false) })
}

// reset breaks the connection for both sides at once.
func (c *conn) reset() {
	if !c.closed {
		c.detach()
	}
	c.drop(true)
}

// detach removes every trace of the connection from its server. The session lives on until it
// expires or is closed.
func (c *conn) detach() {
	c.closed = true
	c.idle.cancel()
	c.in.stop()
	delete(c.srv.conns, c)
	if c.srv.bySession[c.session] == c {
		delete(c.srv.bySession, c.session)
	}
	c.srv.watches.drop(c)
}

// drop closes the wire.
func (c *conn) drop(reset bool) {
	if c.gone {
		return
	}
	c.gone = true
	c.out.stop()
	c.wire.close(reset)
	delete(c.e.live, c)
}

// watchIdle closes a connection that has been silent for its session's timeout, rounded up in the
// server's grain.
func (c *conn) watchIdle() {
	deadline := ((c.heard+c.timeout)/sessionlessTimeout + 1) * sessionlessTimeout
	if c.e.now >= deadline {
		c.close()
		return
	}
	c.idle = c.e.at(deadline, func() {
		c.srv.post(func() {
			if !c.closed {
				c.watchIdle()
			}
		})
	})
}

func sortConns[T any](set map[*conn]T) []*conn {
	list := make([]*conn, 0, len(set))
	for c := range set {
		list = append(list, c)
	}
	slices.SortFunc(list, byArrival)
	return list
}

func byArrival(a, b *conn) int { return a.num - b.num }
