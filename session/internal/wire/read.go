package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Read gives zk the bytes of its frames, one after another. It handles the frames that are not for
// zk.
func (c *Conn) Read(p []byte) (int, error) {
	for len(c.frame) == 0 {
		if err := c.next(); err != nil {
			return 0, c.fail(err)
		}
	}
	n := copy(p, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// next reads a frame, checks it and handles it. Afterwards c.frame holds the frame, or nothing if
// the frame is not for zk.
func (c *Conn) next() error {
	c.mu.Lock()
	ready := c.ready
	c.mu.Unlock()
	frame := c.spare[:lengthSize]
	if _, err := io.ReadFull(c.in, frame); err != nil {
		if !ready && errors.Is(err, io.EOF) {
			return errNoAnswer
		}
		return err
	}
	length := int(int32(binary.BigEndian.Uint32(frame)))
	if !ready && (length < minConnectResponse || length > maxConnectResponse) {
		return fmt.Errorf("%w: %s", ErrProtocol, describe(frame))
	}
	if ready && (length < headerSize || length > MaxFrame) {
		return fmt.Errorf("%w: frame of %d bytes", ErrProtocol, length)
	}
	frame, err := c.fill(frame, lengthSize+length)
	if err != nil {
		return err
	}
	c.frame = frame
	if !ready {
		return c.handshake(frame[lengthSize:])
	}
	return c.reply(frame[lengthSize:])
}

// fill reads until the frame has size bytes. Its memory grows with the bytes that arrive, not with
// the announced size.
func (c *Conn) fill(frame []byte, size int) ([]byte, error) {
	for len(frame) < size {
		if len(frame) == cap(frame) {
			frame = slices.Grow(frame, min(size-len(frame), len(frame)))
		}
		n, err := c.in.Read(frame[len(frame):min(cap(frame), size)])
		frame = frame[:len(frame)+n]
		if err != nil && len(frame) < size {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return frame, err
		}
		if len(frame) < size && len(frame) >= lengthSize+4 && int32(binary.BigEndian.Uint32(frame[lengthSize:])) != xidEvent {
			c.progressed() // an answer is coming in, however slowly
		}
	}
	return frame, nil
}

// progressed notes that a part of an answer has arrived.
func (c *Conn) progressed() {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = now
}

// reply checks and handles a frame after the handshake.
func (c *Conn) reply(p []byte) error {
	xid := int32(binary.BigEndian.Uint32(p))
	code := int32(binary.BigEndian.Uint32(p[12:]))
	body := p[headerSize:]
	switch xid {
	case xidEvent:
		c.frame = nil
		return c.event(body)
	case xidAuth:
		if c.presented == 0 {
			return fmt.Errorf("%w: an answer to a credential that was not presented", ErrProtocol)
		}
		i := len(c.creds.Auth) - c.presented // they are answered in their order
		c.presented--
		c.frame = nil // zk did not ask
		if code != 0 {
			return fmt.Errorf("%w: Config.Auth[%d] with the scheme %q (error %d): no other attempt is made, and the client is closed",
				ErrAuthFailed, i, c.creds.Auth[i].Scheme, code)
		}
		return nil
	}
	now := c.clock.Now()
	r := c.answered(xid, int64(binary.BigEndian.Uint64(p[4:])), now)
	switch {
	case r == nil:
		return fmt.Errorf("%w: reply to request %d, which was not sent", ErrProtocol, xid)
	case r.Answered != nil:
		c.frame = nil // zk did not ask
		return c.answer(r, now, code, body)
	}
	c.hooks.Answered(now)
	return nil
}

// answered removes the oldest unanswered request with that number from c.sent and returns it, or
// nil if there is none. zxid is the latest transaction that the server knew of when it answered.
func (c *Conn) answered(xid int32, zxid int64, now clock.Instant) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.sent, func(r *Request) bool { return r.xid == xid })
	if i < 0 {
		return nil
	}
	r := c.sent[i]
	c.sent = slices.Delete(c.sent, i, i+1)
	c.unanswered -= r.size
	c.progress = now
	if r.Answered != nil {
		c.zxid = max(c.zxid, zxid)
	}
	return r
}

// event reads the body of a watch event, and calls the hook. Servers send only events of positive
// types: other types exist only inside clients.
func (c *Conn) event(body []byte) error {
	d := decoder{p: body}
	kind := d.int()
	d.int() // the state
	path := d.string()
	switch {
	case d.err != nil:
	case kind <= 0:
		d.fail("an event of type %d", kind)
	case !isPath(path):
		d.fail("%q cannot be the path of a znode", path)
	}
	if d.err == nil {
		c.hooks.Event(zk.EventType(kind), path)
	}
	return d.err
}

// isPath reports whether s is "/", or begins with a slash and has no empty name.
func isPath(s string) bool {
	return s == "/" || strings.HasPrefix(s, "/") && !strings.HasSuffix(s, "/") && !strings.Contains(s, "//")
}
