package zktest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memNetwork connects clients to servers without sockets. The servers' ends live in the ensemble's
// loop, so there are no goroutines to schedule: a client's Write runs the server.
type memNetwork struct{ e *Ensemble }

// listen gives servers addresses from the block reserved for documentation. They are literal, so
// that clients need no look-up. Nobody has them, if one is dialed by mistake over a real network. A
// restarted server keeps its own.
func (n *memNetwork) listen(s *server) error {
	if s.addr == "" { // else somebody may be reading it
		s.addr = fmt.Sprintf("192.0.2.%d:2181", s.id)
	}
	return nil
}

func (n *memNetwork) unlisten(*server) {}
func (n *memNetwork) close()           {}

func (n *memNetwork) dial(ctx context.Context, h *Host, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, opError("dial", err)
	}
	w := &memConn{e: n.e, remote: memAddr(address),
		readable: make(chan struct{}, 1), reading: make(chan struct{}, 1)}
	err := syscall.ECONNREFUSED
	n.e.do(func() {
		s := n.e.serverAt(address)
		if s == nil || s.role == down || n.e.stopped {
			return
		}
		err = 0
		w.c = n.e.connect(s, h, w, "127.0.0.1")
		w.local = memAddr(fmt.Sprintf("127.0.0.1:%d", 10000+w.c.num))
	})
	if err != 0 {
		return nil, opError("dial", os.NewSyscallError("connect", err))
	}
	return w, nil
}

func opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Err: err}
}

type memAddr string

func (a memAddr) Network() string { return "tcp" }
func (a memAddr) String() string  { return string(a) }

// memConn is the client's end of a connection in memory. It is a net.Conn: reads block and honour
// deadlines, writes are buffered without limit and therefore never block.
type memConn struct {
	e             *Ensemble
	c             *conn
	local, remote net.Addr
	readable      chan struct{} // carries "look again", at most one
	reading       chan struct{} // holds a token while a Read waits for it

	partial bytes.Buffer // the start of a frame; guarded by the ensemble's loop

	mu      sync.Mutex   // guards the rest
	buf     bytes.Buffer // what has arrived and not been read
	readErr error        // what Read returns once buf is empty
	closed  bool         // by the client
	broken  bool         // by a reset
	readBy  deadline
	writeBy time.Time
}

// deadline wakes a reader in time.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

// write and close are what the server's end does, in the ensemble's loop.
func (w *memConn) write(f []byte) {
	w.mu.Lock()
	w.buf.Write(f)
	w.mu.Unlock()
	w.wake()
}

func (w *memConn) close(reset bool) {
	w.mu.Lock()
	if reset {
		w.broken = true
		w.buf.Reset()
		w.readErr = opError("read", os.NewSyscallError("read", syscall.ECONNRESET))
	} else if w.readErr == nil {
		w.readErr = io.EOF
	}
	w.mu.Unlock()
	w.wake()
}

func (w *memConn) wake() {
	select {
	case w.readable <- struct{}{}:
	default:
	}
}

// Read waits for bytes, the end of the connection, or the deadline.
func (w *memConn) Read(p []byte) (int, error) {
	w.reading <- struct{}{}
	defer func() { <-w.reading }()
	for {
		n, err, ok := w.tryRead(p)
		if ok {
			return n, err
		}
		<-w.readable
	}
}

func (w *memConn) tryRead(p []byte) (n int, err error, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return 0, opError("read", net.ErrClosed), true
	case len(p) == 0:
		return 0, nil, true
	case expired(w.readBy.at):
		return 0, opError("read", os.ErrDeadlineExceeded), true
	case w.buf.Len() > 0:
		n, _ = w.buf.Read(p)
		return n, nil, true
	case w.readErr != nil:
		return 0, w.readErr, true
	}
	return 0, nil, false
}

func expired(at time.Time) bool { return !at.IsZero() && !time.Now().Before(at) }

// Write hands the bytes to the server.
func (w *memConn) Write(p []byte) (int, error) {
	w.mu.Lock()
	var err error
	switch {
	case w.closed:
		err = opError("write", net.ErrClosed)
	case expired(w.writeBy):
		err = opError("write", os.ErrDeadlineExceeded)
	case w.broken || w.readErr != nil:
		err = opError("write", os.NewSyscallError("write", syscall.EPIPE))
	}
	w.mu.Unlock()
	if err != nil {
		return 0, err
	}
	w.e.do(func() { w.deliver(p) })
	return len(p), nil
}

// deliver cuts the stream into frames.
func (w *memConn) deliver(p []byte) {
	w.partial.Write(p)
	for w.partial.Len() >= 4 {
		size := binary.BigEndian.Uint32(w.partial.Bytes())
		if size > maxFrame {
			w.partial.Reset()
			w.c.srv.post(w.c.close)
			return
		}
		if uint32(w.partial.Len()-4) < size {
			return
		}
		w.c.arrive(bytes.Clone(w.partial.Next(int(4 + size))[4:]))
	}
}

// Close ends the connection; the server is told.
func (w *memConn) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return opError("close", net.ErrClosed)
	}
	w.closed = true
	w.buf.Reset()
	if w.readBy.timer != nil {
		w.readBy.timer.Stop()
	}
	w.mu.Unlock()
	w.wake()
	w.e.do(w.c.hangup)
	return nil
}

func (w *memConn) LocalAddr() net.Addr  { return w.local }
func (w *memConn) RemoteAddr() net.Addr { return w.remote }

// SetDeadline sets both deadlines.
func (w *memConn) SetDeadline(t time.Time) error {
	if err := w.SetReadDeadline(t); err != nil {
		return err
	}
	return w.SetWriteDeadline(t)
}

// SetReadDeadline also wakes a Read that waits already.
func (w *memConn) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return opError("set", net.ErrClosed)
	}
	w.readBy.at = t
	rest := max(time.Until(t), 1) // not 0, see clock.System
	switch timer := w.readBy.timer; {
	case t.IsZero():
		if timer != nil {
			timer.Stop()
		}
	case timer == nil:
		w.readBy.timer = time.AfterFunc(rest, w.wake)
	default:
		timer.Reset(rest)
	}
	return nil
}

// SetWriteDeadline only matters when it has passed already: writes never wait.
func (w *memConn) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return opError("set", net.ErrClosed)
	}
	w.writeBy = t
	return nil
}
