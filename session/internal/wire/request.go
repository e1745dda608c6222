package wire

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// [Conn.Send] sends requests without zk. It writes in the goroutine of the caller if the write does
// not have to wait. The answer comes from the goroutine that reads. zk v1.0.4 has no contexts: each
// of its calls needs a goroutine that may outlive its caller. Each call also costs three more
// switches between goroutines.

// A Request is sent by [Conn.Send]: one operation, or a multi.
type Request struct {
	Ops   []Op
	Multi bool
	// Sending, if set, is called right before the request is sent. For reads that are sent earlier,
	// WantsWatch is called before Sending. For reads that are sent later, it is called after
	// Sending.
	Sending func()
	// Sent, if set, is called right after the request has been sent.
	Sent func()
	// Answered is called once: with the answer, or when the connection has ended without one. By
	// then, all events that the server sent before the answer have been passed to the hook.
	// Answered must not block. It is not called if Send returns false.
	Answered func(Answer)

	xid  int32
	size int // of the frame
}

// An Answer is the result of a request.
type Answer struct {
	Lost    bool  // the connection has ended without an answer
	Code    int32 // the error of the whole request; 0: none
	Results []Result
}

// op returns the operation code in the frame's header.
func (r *Request) op() int32 {
	if r.Multi {
		return opMulti
	}
	return r.Ops[0].Kind
}

// The numbers of our own requests go down from firstOwn. zk counts up from 1, and ZooKeeper
// reserves the numbers from -1 to -8.
const firstOwn = -1000

// maxUnanswered bounds a direct write: up to this many unanswered bytes, with those of the new
// request, the caller's goroutine writes the request itself. The server has read all requests that
// it has answered, so the socket's buffer holds no more than these bytes. It has room for many
// more, so the write does not wait.
const maxUnanswered = 8 << 10

// Send sends a request. If it returns false, there is no connection, and nothing was sent. Requests
// are sent in the order of the calls. Send does not wait. If the socket may have no room, or if
// another goroutine is writing, the request goes into a queue, and a goroutine that start starts
// writes the requests in the queue. That goroutine ends with the connection at the latest. If start
// does not run its function, the requests in the queue are not sent, and are lost when the
// connection ends.
//
// If the write fails, Failed is called before Send returns. So is Answered, unless another
// goroutine has ended the connection: then that goroutine calls it. Sent may be called after
// Answered.
func (c *Conn) Send(r *Request, start func(func())) bool {
	frame := r.frame()
	c.mu.Lock()
	if !c.register(r, frame) {
		c.mu.Unlock()
		return false
	}
	at := len(c.queue)
	direct := at == 0 && c.unanswered <= maxUnanswered && c.writing.TryLock()
	if !direct {
		c.queue = append(c.queue, func() { c.write(r, frame) })
	}
	c.mu.Unlock()
	switch {
	case direct:
		c.write(r, frame)
	case at == 0:
		start(c.flush)
	}
	return true
}

// register gives the request a number and adds it to those that are sent. It returns false if there
// is no connection. The caller holds c.mu.
func (c *Conn) register(r *Request, frame []byte) bool {
	if !c.ready || c.ended {
		return false
	}
	if c.lastOwn == 0 || c.lastOwn == math.MinInt32 {
		c.lastOwn = firstOwn + 1
	}
	c.lastOwn--
	r.xid, r.size = c.lastOwn, len(frame)
	binary.BigEndian.PutUint32(frame[lengthSize:], uint32(r.xid))
	c.sent = append(c.sent, r)
	c.unanswered += r.size
	return true
}

// flush writes the requests in the queue. Each stays in the queue until it is written, so that no
// later one is sent before it.
func (c *Conn) flush() {
	for {
		c.mu.Lock()
		write := c.queue[0]
		c.mu.Unlock()
		c.writing.Lock()
		write()
		c.mu.Lock()
		c.queue = slices.Delete(c.queue, 0, 1)
		empty := len(c.queue) == 0
		c.mu.Unlock()
		if empty {
			return
		}
	}
}

// write writes the frame of a request. The caller holds c.writing, and write releases it.
func (c *Conn) write(r *Request, frame []byte) {
	if r.Sending != nil {
		r.Sending()
	}
	if !r.Multi && r.Ops[0].leavesWatch() && c.hooks.WantsWatch(r.Ops[0].Path, r.Ops[0].Kind) {
		frame[len(frame)-1] = 1
	}
	_, err := c.net.Write(frame)
	c.writing.Unlock()
	switch {
	case err != nil:
		c.fail(err)
	case r.Sent != nil:
		r.Sent()
	}
}

// answer checks the answer to a request of our own, and passes it to the caller.
func (c *Conn) answer(r *Request, now clock.Instant, code int32, body []byte) error {
	d := decoder{p: body}
	a := Answer{Code: code, Results: d.results(r, code)}
	if d.err != nil {
		c.CloseWith(d.err) // first: the caller asks why
		r.Answered(Answer{Lost: true})
		return d.err
	}
	c.hooks.Answered(now)
	r.Answered(a)
	return nil
}
