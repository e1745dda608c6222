// Package wire wraps the network connection under a zk.Conn. It sees every frame
// both ways and does there what zk v1.0.4 does not:
//
//   - it times requests, replies and handshakes, which is what a lease is proven from;
//   - it bounds the whole handshake by one deadline;
//   - it refuses frames that would crash zk or take its memory;
//   - it sends credentials right after each handshake, before anything else;
//   - it sets the watch flag of the reads that somebody waits on. zk itself then has
//     no watch to restore after a reconnect, and with it go the data race, the silent
//     failures and the leaks of that part of zk.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// ErrProtocol is wrapped by the errors about bytes that no ZooKeeper server sends.
var ErrProtocol = errors.New("not a ZooKeeper server's answer")

// ErrAuthFailed is reported when the server rejects a credential.
var ErrAuthFailed = errors.New("credential rejected")

// Auth is one credential of AddAuth: for the scheme "digest" it is "user:password".
type Auth struct {
	Scheme     string
	Credential []byte
}

// Hooks are called while bytes pass. They run on zk's goroutines, one at a time
// except WantsWatch, and must not block.
type Hooks struct {
	// Handshaken is called with every well-formed connect response. An error drops the
	// connection.
	Handshaken func(Handshake) error
	// Answered is called when a request or ping written at s has been answered.
	Answered func(s, e clock.Instant)
	// Renewed is called when a quorum write written at s has succeeded.
	Renewed func(s, e clock.Instant)
	// WantsWatch is asked for each read whether it shall leave a watch.
	WantsWatch func(path string) bool
	// Failed is called once, with the reason for which the connection ended; it may be
	// called when the connection is closed from our side.
	Failed func(error)
}

// Conn is a net.Conn for zk.Conn. Read and Write may each be used by one goroutine
// at a time, the rest by any.
type Conn struct {
	net   net.Conn
	clock clock.Clock
	hooks Hooks
	auth  []Auth

	failOnce sync.Once

	mu       sync.Mutex // guards what follows; held for moments only, never during I/O
	ready    bool       // the handshake is over
	sent     []request  // unanswered, oldest first; during the handshake the connect request
	progress clock.Instant

	// Owned by the reader.
	buffered []byte // bytes of the current frame that were read ahead
	rest     int    // bytes of it that are still to come from the network
	silence  time.Duration
}

// New wraps conn. The handshake has to be over at deadline, whatever deadlines zk sets.
func New(conn net.Conn, deadline time.Time, c clock.Clock, auth []Auth, hooks Hooks) *Conn {
	conn.SetDeadline(deadline)
	return &Conn{net: conn, clock: c, auth: auth, hooks: hooks}
}

// Write sends one frame.
func (c *Conn) Write(p []byte) (int, error) {
	now := c.clock.Now()
	c.mu.Lock()
	ready := c.ready
	c.mu.Unlock()
	frame := p
	if !ready {
		c.note(request{at: now}) // the connect request; it has no header
	} else {
		xid, op, err := parseRequest(p)
		if err != nil {
			return 0, c.fail(err)
		}
		if path, ok := readPath(op, p); ok && c.hooks.WantsWatch(path) {
			frame = append([]byte(nil), p...) // the caller's bytes are the caller's
			frame[len(frame)-1] = 1
		}
		c.note(request{xid, op, now})
	}
	if n, err := c.net.Write(frame); err != nil {
		return n, c.fail(err)
	}
	return len(p), nil
}

func (c *Conn) note(r request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == 0 {
		c.progress = r.at // silence begins when there is something to answer
	}
	c.sent = append(c.sent, r)
}

// Read hands out the bytes of one frame after another. The beginning of each frame
// is looked at before zk gets it; the rest passes through.
func (c *Conn) Read(p []byte) (int, error) {
	for len(c.buffered) == 0 && c.rest == 0 {
		if err := c.nextFrame(); err != nil {
			return 0, c.fail(err)
		}
	}
	if len(c.buffered) > 0 {
		n := copy(p, c.buffered)
		c.buffered = c.buffered[n:]
		return n, nil
	}
	n, err := c.net.Read(p[:min(len(p), c.rest)])
	c.rest -= n
	if n > 0 {
		c.progressed()
	}
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// progressed notes that a reply is coming in, however slowly. zk sets one deadline
// for a whole frame; a long answer on a slow link gets a new one with every piece.
func (c *Conn) progressed() {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = now
	if c.silence > 0 {
		c.net.SetReadDeadline(time.Now().Add(c.silence))
	}
}

// nextFrame reads the beginning of a frame and acts on it. Afterwards buffered holds
// what zk is to read of it first; it is empty when the frame is not for zk.
func (c *Conn) nextFrame() error {
	head := make([]byte, lengthSize, lengthSize+peekSize)
	if _, err := io.ReadFull(c.net, head); err != nil {
		return err
	}
	length := int(int32(binary.BigEndian.Uint32(head)))
	c.mu.Lock()
	ready := c.ready
	c.mu.Unlock()
	if !ready {
		return c.handshake(head, length)
	}
	if length < headerSize || length > MaxFrame {
		return fmt.Errorf("%w: frame of %d bytes", ErrProtocol, length)
	}
	head = head[:lengthSize+min(length, peekSize)]
	if _, err := io.ReadFull(c.net, head[lengthSize:]); err != nil {
		return unexpected(err)
	}
	c.buffered, c.rest = head, length-(len(head)-lengthSize)
	return c.reply(head[lengthSize:])
}

// reply looks at the beginning of a reply.
func (c *Conn) reply(head []byte) error {
	xid := int32(binary.BigEndian.Uint32(head))
	code := int32(binary.BigEndian.Uint32(head[12:]))
	switch xid {
	case xidEvent:
		return nil
	case xidAuth:
		c.buffered = nil // zk did not ask
		if c.rest > 0 {
			return fmt.Errorf("%w: long reply to a credential", ErrProtocol)
		}
		if code != 0 {
			return fmt.Errorf("%w (error %d)", ErrAuthFailed, code)
		}
		return nil
	}
	now := c.clock.Now()
	r, ok := c.answered(xid, now)
	if !ok {
		return fmt.Errorf("%w: reply to request %d, which was not sent", ErrProtocol, xid)
	}
	c.hooks.Answered(r.at, now)
	if r.op == opMulti && code == 0 && len(head) >= peekSize &&
		int32(binary.BigEndian.Uint32(head[headerSize:])) != errorResult {
		c.hooks.Renewed(r.at, now)
	}
	return nil
}

// answered takes the oldest unanswered request with that number off the list.
func (c *Conn) answered(xid int32, now clock.Instant) (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = now
	for i, r := range c.sent {
		if r.xid == xid {
			c.sent = append(c.sent[:i], c.sent[i+1:]...)
			return r, true
		}
	}
	return request{}, false
}

// handshake reads the connect response, sends the credentials, and lets zk have it.
func (c *Conn) handshake(head []byte, length int) error {
	if length < minConnectResponse || length > maxConnectResponse {
		return fmt.Errorf("%w: %s", ErrProtocol, describe(head))
	}
	frame := make([]byte, lengthSize+length)
	copy(frame, head)
	if _, err := io.ReadFull(c.net, frame[lengthSize:]); err != nil {
		return unexpected(err)
	}
	h, err := parseConnectResponse(frame[lengthSize:])
	if err != nil {
		return err
	}
	c.mu.Lock()
	if len(c.sent) == 1 {
		h.Sent = c.sent[0].at
	}
	c.sent = nil
	c.mu.Unlock()
	if h.Sent.IsZero() {
		return fmt.Errorf("%w: it spoke first", ErrProtocol)
	}
	c.buffered = frame
	if err := c.hooks.Handshaken(h); err != nil {
		return err
	}
	if h.SessionID == 0 {
		c.fail(errExpired) // zk forgets to close this connection; what is buffered it still gets
		return nil
	}
	for _, a := range c.auth {
		if _, err := c.net.Write(authFrame(a)); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	return c.net.SetDeadline(time.Time{})
}

var errExpired = errors.New("session expired")

// describe says what a client of another protocol can tell from the first bytes.
func describe(head []byte) string {
	switch {
	case string(head) == "HTTP":
		return "it speaks HTTP"
	case head[0] == 0x15 && head[1] == 0x03, head[0] == 0x16 && head[1] == 0x03:
		return "it speaks TLS; a TLS configuration is needed for this port"
	}
	return fmt.Sprintf("it began with the bytes %q", head)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fail closes the connection and reports why, the first time.
func (c *Conn) fail(err error) error {
	c.failOnce.Do(func() {
		c.net.Close()
		c.hooks.Failed(err)
	})
	return err
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	return nil
}

// CloseWith closes the connection for a reason of ours.
func (c *Conn) CloseWith(reason error) { c.fail(reason) }

// Silence returns for how long the server has owed an answer without sending any
// part of one. Watch events do not count: they flow even when nothing reaches the
// server.
func (c *Conn) Silence(now clock.Instant) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == 0 {
		return 0
	}
	return now.Sub(c.progress)
}

// SetReadDeadline is ignored during the handshake, which has a deadline of its own.
// zk's first one afterwards tells how much silence zk allows.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil
	}
	c.silence = 0
	if !t.IsZero() {
		c.silence = time.Until(t)
	}
	return c.net.SetReadDeadline(t)
}

// SetWriteDeadline is ignored during the handshake.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil
	}
	return c.net.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.net.LocalAddr() }

// RemoteAddr returns the address of the server.
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }
