// Package wire is the network connection under a zk.Conn. Three things are left to zk: the
// handshakes, the pings, and the request that closes the session. [Conn.Send] sends all other
// requests. Their answers do not reach zk, and neither do watch events. The package sees every
// frame in both directions. It does what zk v1.0.4 does not do:
//
//   - it notes when the server last answered;
//   - it bounds the whole handshake by one deadline;
//   - it refuses answers that do not match their request;
//   - it authenticates by SASL and sends credentials right after each handshake, before anything
//     else;
//   - it decides for each read, right before it is sent, whether the read leaves a watch. zk knows
//     of no watch, so it has none to restore after a reconnect. That part of zk has a data race,
//     does not report its failures, and leaks watches.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// ErrProtocol is wrapped by the errors about bytes that no ZooKeeper server sends.
var ErrProtocol = errors.New("not a ZooKeeper server's answer")

// ErrAuthFailed is reported when the server rejects a credential.
var ErrAuthFailed = errors.New("credential rejected")

// errNoAnswer means that the connection ended during its handshake. Servers give no reason.
var errNoAnswer = errors.New("closed without an answer to the handshake: the server has no quorum, lags behind" +
	" what this session has seen, has too many clients, or speaks TLS on this port")

var errExpired = errors.New("session expired")

// Auth is one credential of AddAuth: for the scheme "digest" it is "user:password".
type Auth struct {
	Scheme     string
	Credential []byte
}

// Credentials are presented after each handshake, before anything else.
type Credentials struct {
	SASL Exchange // nil if there is none
	Auth []Auth
}

// Hooks are called while frames are sent and read, and must not block. They run one at a time in
// the goroutine that reads, with two exceptions: WantsWatch runs in the goroutine that sends, and
// Failed may run in any.
type Hooks struct {
	// Handshaken is called with every well-formed connect response, once the client has
	// authenticated. An error drops the connection.
	Handshaken func(Handshake) error
	// Answered is called when a request or ping has been answered.
	Answered func(at clock.Instant)
	// Event is called with every watch event.
	Event func(kind zk.EventType, path string)
	// WantsWatch is called for each read, right before it is sent. It says whether the read leaves
	// a watch. op is the kind of the read.
	WantsWatch func(path string, op int32) bool
	// Failed is called once, with the reason for which the connection ended, even if this side has
	// closed it.
	Failed func(error)
}

// Conn is a net.Conn for zk.Conn. One goroutine at a time may call Read, and one may call Write.
// Any goroutine may call the other methods.
type Conn struct {
	net   net.Conn
	clock clock.Clock
	hooks Hooks
	creds Credentials

	failOnce sync.Once

	writing sync.Mutex // held while a frame is sent after the handshake, and during Sending and WantsWatch before it

	mu         sync.Mutex // guards what follows; held for moments only, never during I/O
	ready      bool       // the handshake is over
	ended      bool
	sent       []*Request // unanswered or still in the queue, oldest first; during the handshake, the connect request
	unanswered int        // how many bytes these requests have
	progress   clock.Instant
	zxid       int64    // see Zxid
	lastOwn    int32    // the number of the latest request of our own
	queue      []func() // these functions write the requests that could not be written at once, oldest first

	// Owned by the reader.
	in        *bufio.Reader
	frame     []byte // what zk has not read yet of the present frame
	spare     []byte // memory for frame, unless it is long
	presented int    // credentials that have not been answered
}

// New wraps conn. The handshake has to be over at deadline; the deadlines that zk sets do not
// count. zxid is the latest transaction in an answer on an earlier connection of the session: a
// server that does not have this transaction yet does not accept the session.
func New(conn net.Conn, deadline time.Time, zxid int64, c clock.Clock, creds Credentials, hooks Hooks) *Conn {
	conn.SetDeadline(deadline)
	return &Conn{net: conn, clock: c, creds: creds, hooks: hooks, zxid: zxid,
		in: bufio.NewReaderSize(conn, readAhead), spare: make([]byte, 0, spareSize)}
}

// Write sends one frame of zk's. After the handshake it returns no errors: it closes the
// connection, and zk learns of that when it reads. So zk answers a request only once when the
// connection ends.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	ready := c.ready
	c.mu.Unlock()
	if !ready {
		if err := c.connect(slices.Clone(p)); err != nil { // a copy, because the bytes belong to the caller
			return 0, c.fail(err)
		}
	} else if err := c.send(p); err != nil {
		c.fail(err)
	}
	return len(p), nil
}

// connect sends the connect request, which has no header. zk does not see the answers to our own
// requests. So the latest transaction in its connect request is too old, and connect replaces it.
func (c *Conn) connect(p []byte) error {
	if len(p) < lastZxidSeen+8 {
		return fmt.Errorf("wire: bug: a connect request of %d bytes", len(p))
	}
	c.mu.Lock()
	binary.BigEndian.PutUint64(p[lastZxidSeen:], uint64(c.zxid))
	c.sent = append(c.sent, &Request{})
	c.mu.Unlock()
	_, err := c.net.Write(p)
	return err
}

func (c *Conn) send(p []byte) error {
	xid, err := parseRequest(p)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	c.sent = append(c.sent, &Request{xid: xid, size: len(p)})
	c.unanswered += len(p)
	c.mu.Unlock()
	_, err = c.net.Write(p)
	return err
}

// fail closes a connection that has failed.
func (c *Conn) fail(err error) error {
	if n := c.largest(); n >= largeRequest {
		err = fmt.Errorf("%w, when a request of %d bytes was not answered: is the servers' jute.maxbuffer smaller?", err, n)
	}
	c.CloseWith(err)
	return err
}

// CloseWith closes the connection and reports why, the first time.
func (c *Conn) CloseWith(reason error) {
	var lost []*Request
	c.failOnce.Do(func() {
		// A Close of TLS sends a message first. That may take seconds if the other side does not
		// read. So the socket below it is closed directly.
		if secure, ok := c.net.(interface{ NetConn() net.Conn }); ok {
			secure.NetConn().Close()
		}
		c.net.Close()
		c.mu.Lock()
		c.ended = true
		lost, c.sent = c.sent, nil
		c.mu.Unlock()
		c.hooks.Failed(reason) // first: the callers of lost requests ask why
	})
	for _, r := range lost {
		if r.Answered != nil {
			r.Answered(Answer{Lost: true})
		}
	}
}

// largest returns the size of the largest unanswered request. If a request is too large for a
// server, the server closes the connection and gives no reason.
func (c *Conn) largest() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.sent {
		n = max(n, r.size-lengthSize)
	}
	return n
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.CloseWith(net.ErrClosed)
	return nil
}

// Silence returns how long ago the server last sent any part of an answer, and whether it owes one.
// Watch events do not count as answers: they arrive even when nothing reaches the server any more.
func (c *Conn) Silence(now clock.Instant) (quiet time.Duration, owing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Sub(c.progress), len(c.sent) > 0
}

// Zxid returns the latest transaction in an answer to one of our own requests, on this connection
// or on an earlier one of the session. For watches that were set on this connection, all events up
// to that transaction have been reported.
func (c *Conn) Zxid() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.zxid
}

// SetDeadline does nothing. The handshake has a deadline of its own. After it, zk's deadlines would
// end a connection that works, because zk does not see the answers and the events that are not for
// it. The user of the connection asks for its Silence, and closes it.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.net.LocalAddr() }

// RemoteAddr returns the address of the server.
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }
