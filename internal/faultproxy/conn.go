package faultproxy

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one client's connection: per direction a reader, which tells frames apart and reports
// them, and a writer, which delivers them with the faults applied.
type conn struct {
	proxy          *Proxy
	id             int
	client, server net.Conn
	raw            bool          // no frames are told apart
	up, down       *queue        // to the server, to the client
	once           sync.Once     // of shut
	done           chan struct{} // closed by shut
	finished       atomic.Bool   // one direction has ended

	mu       sync.Mutex // guards what follows; proxy.mu may be taken under it, not the reverse
	pending  []*request // requests passed on and not answered, in order
	lastZxid int64      // of the last reply, for those we make up
}

// request is one that waits for its reply.
type request struct {
	frame Frame
	fault *Fault // strikes at the reply; for Fail the proxy makes the reply
}

func newConn(p *Proxy, client, server net.Conn) *conn {
	return &conn{
		proxy: p, client: client, server: server,
		up: newQueue(), down: newQueue(), done: make(chan struct{}),
	}
}

// run carries the connection until it ends and all its goroutines have.
func (c *conn) run() {
	var wg sync.WaitGroup
	wg.Go(func() { c.read(ToServer) })
	wg.Go(func() { c.read(ToClient) })
	wg.Go(func() { c.write(ToServer) })
	wg.Go(func() { c.write(ToClient) })
	wg.Wait()
}

// shut closes both sides, the client's with a reset if asked for.
func (c *conn) shut(reset bool) {
	c.once.Do(func() {
		if tcp, ok := c.client.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0) // only makes Close send RST; Close tells
		}
		c.client.Close()
		c.server.Close()
		close(c.done)
	})
}

// ends returns where a direction reads, writes and queues.
func (c *conn) ends(dir Dir) (src, dst net.Conn, q *queue) {
	if dir == ToServer {
		return c.client, c.server, c.up
	}
	return c.server, c.client, c.down
}

// read queues what comes until the sender has closed; the end of the stream is queued like a frame.
func (c *conn) read(dir Dir) {
	src, _, q := c.ends(dir)
	framed, reset := !c.raw, false
	for first := true; ; first = false {
		var data []byte
		var err error
		if framed {
			data, framed, err = readFrame(src)
		} else {
			data, err = readRaw(src) // once out of step, a stream stays so
		}
		if len(data) > 0 {
			c.receive(dir, data, framed, first)
		}
		if err != nil {
			reset = err != io.EOF
			break
		}
	}
	if dir == ToServer {
		c.proxy.clientGone(c)
	}
	q.push(item{eof: true, reset: reset, frame: Frame{When: time.Now()}})
}

func readRaw(src net.Conn) ([]byte, error) {
	buf := make([]byte, 32<<10)
	n, err := src.Read(buf)
	return buf[:n], err
}

// receive reports a frame and queues it.
func (c *conn) receive(dir Dir, data []byte, framed, first bool) {
	f := Frame{Conn: c.id, Dir: dir, Op: OpRaw, Bytes: len(data), When: time.Now()}
	switch {
	case !framed:
	case dir == ToServer:
		parseRequest(&f, data, first)
	default:
		parseReply(&f, data, first)
		if req := c.find(f); req != nil {
			f.Op, f.First, f.Path = req.frame.Op, req.frame.First, req.frame.Path
		}
	}
	c.proxy.observe(f)
	if dir == ToServer {
		c.push(item{frame: f, data: data})
		return
	}
	c.answer(item{frame: f, data: data})
}

// find returns the pending request that a reply answers.
func (c *conn) find(reply Frame) *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(reply); i >= 0 {
		return c.pending[i]
	}
	return nil
}

func (c *conn) index(reply Frame) int {
	return slices.IndexFunc(c.pending, func(r *request) bool {
		if reply.Op == OpConnect || r.frame.Op == OpConnect {
			return reply.Op == r.frame.Op
		}
		return reply.Op != OpEvent && reply.Xid == r.frame.Xid
	})
}

// answer queues a reply from the server, and the made-up ones whose turn comes with it. The request
// is forgotten and the reply queued in one step, so that no made-up reply overtakes.
func (c *conn) answer(it item) {
	c.mu.Lock()
	if i := c.index(it.frame); i >= 0 {
		it.fault = c.pending[i].fault
		c.pending = slices.Delete(c.pending, i, i+1)
	}
	c.lastZxid = max(c.lastZxid, it.frame.Zxid)
	c.push(it)
	made := c.makeUp()
	c.mu.Unlock()
	c.observeAll(made)
}

// makeUp queues the replies to failed requests that have no earlier request left to wait for. Pings
// do not count: they are answered out of turn. The caller holds mu.
func (c *conn) makeUp() (made []Frame) {
	for i := 0; i < len(c.pending); {
		r := c.pending[i]
		switch {
		case r.frame.Op == OpPing && (r.fault == nil || r.fault.action != Fail):
			i++
			continue
		case r.fault == nil || r.fault.action != Fail:
			return made
		}
		data := failedReply(r.frame, c.lastZxid, r.fault.code)
		f := r.frame
		f.Dir, f.When, f.Bytes, f.Zxid, f.Err = ToClient, time.Now(), len(data), c.lastZxid, r.fault.code
		if f.Op == OpConnect {
			f.Session, f.Timeout, f.Err = 0, 0, 0
		}
		c.pending = slices.Delete(c.pending, i, i+1)
		c.push(item{frame: f, data: data, fault: r.fault})
		made = append(made, f)
	}
	return made
}

func (c *conn) observeAll(frames []Frame) {
	for _, f := range frames {
		c.proxy.observe(f)
	}
}

// push queues an item. One that comes while its direction drops is dropped, however late its turn
// is.
func (c *conn) push(it item) {
	l, _ := c.proxy.link(it.frame.Dir)
	it.dropped = l.drop
	_, _, q := c.ends(it.frame.Dir)
	q.push(it)
}

// write delivers a direction's items until the connection ends. When the receiver is gone it goes
// on without writing: perhaps the sender does not know that yet, and behind a Drop or Hold it must
// not learn it.
func (c *conn) write(dir Dir) {
	_, dst, q := c.ends(dir)
	var last time.Time
	for {
		it, ok := q.pop(c.done)
		if !ok {
			return
		}
		deliver, ok := c.admit(dir, it, last)
		switch {
		case !ok:
			return
		case !deliver:
			continue
		case it.eof:
			c.finish(dst, it.reset)
			return
		}
		last = time.Now()
		if dir == ToServer {
			deliver = c.pass(it)
		} else {
			deliver = c.deliver(it)
		}
		if deliver {
			_, _ = dst.Write(it.data) // a receiver that is gone is noticed by its reader
			if it.fault != nil && it.fault.action == Fail {
				it.fault.fire(it.frame)
			}
		}
	}
}

// finish passes on the end of a stream. The other direction lives on, as TCP allows, unless it has
// ended too.
func (c *conn) finish(dst net.Conn, reset bool) {
	half, ok := dst.(interface{ CloseWrite() error })
	if reset || !ok || c.finished.Swap(true) {
		c.shut(reset)
		return
	}
	_ = half.CloseWrite() // fails only if dst is gone, which its reader notices
}

// admit waits until the link lets an item through; deliver is false for one that is dropped, ok
// when the connection has ended.
func (c *conn) admit(dir Dir, it item, last time.Time) (deliver, ok bool) {
	for {
		l, changed := c.proxy.link(dir)
		if (l.drop || it.dropped) && !it.eof {
			return false, true
		}
		var timer <-chan time.Time
		if !l.held && !l.drop {
			wait := time.Until(l.due(it, last))
			if wait <= 0 {
				return true, true
			}
			timer = time.After(wait)
		}
		select {
		case <-changed:
		case <-timer:
		case <-c.done:
			return false, false
		}
	}
}

// pass applies the faults to a request and notes it; true if it goes to the server.
func (c *conn) pass(it item) bool {
	if it.frame.Op == OpRaw {
		return true
	}
	fault := c.proxy.strike(it.frame)
	if fault != nil {
		switch fault.action {
		case LoseRequest:
			c.shut(false)
			fault.fire(it.frame)
			return false
		case HoldRequest:
			if !c.hold(fault, it.frame) {
				return false
			}
			fault = nil
		}
	}
	c.mu.Lock()
	c.pending = append(c.pending, &request{frame: it.frame, fault: fault})
	made := c.makeUp()
	c.mu.Unlock()
	c.observeAll(made)
	return fault == nil || fault.action != Fail
}

// deliver applies the faults to a reply or event; true if it goes to the client.
func (c *conn) deliver(it item) bool {
	fault := it.fault
	if it.frame.Op == OpEvent {
		fault = c.proxy.strike(it.frame)
	}
	if fault == nil {
		return true
	}
	switch fault.action {
	case LoseReply:
		c.shut(false)
		fault.fire(it.frame)
		return false
	case HoldReply:
		return c.hold(fault, it.frame)
	}
	return true
}

// hold reports that the frame is held and waits for its release; false when the connection has
// ended.
func (c *conn) hold(f *Fault, frame Frame) bool {
	f.fire(frame)
	select {
	case <-f.released:
		return true
	case <-c.done:
		return false
	}
}
