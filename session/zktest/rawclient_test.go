package zktest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"testing"
	"time"
)

// pack writes the wire format from Go values: the test's own codec, so that a mistake in the
// server's can not hide behind itself.
func pack(values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(int32(v)))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		case bool:
			if v {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []byte:
			if v == nil {
				b = binary.BigEndian.AppendUint32(b, ^uint32(0))
			} else {
				b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
			}
		case []string:
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
			for _, s := range v {
				b = append(b, pack(s)...)
			}
		case acls:
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
			for _, a := range v {
				b = append(b, pack(a.perms, a.scheme, a.id)...)
			}
		case verbatim:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("bug: pack(%T)", v))
		}
	}
	return b
}

type verbatim []byte

type acl struct {
	perms      int
	scheme, id string
}

type acls []acl

var open = acls{{31, "world", "anyone"}}

// unpack reads the wire format. It panics with errShort at the end of input, which the trace shows.
type unpack struct{ b []byte }

var errShort = errors.New("short reply")

func (u *unpack) take(n int) []byte {
	if n < 0 || n > len(u.b) {
		panic(errShort)
	}
	v := u.b[:n]
	u.b = u.b[n:]
	return v
}

func (u *unpack) int() int     { return int(int32(binary.BigEndian.Uint32(u.take(4)))) }
func (u *unpack) int64() int64 { return int64(binary.BigEndian.Uint64(u.take(8))) }
func (u *unpack) bool() bool   { return u.take(1)[0] != 0 }

func (u *unpack) buffer() []byte {
	n := u.int()
	if n == -1 {
		return nil
	}
	return u.take(n)
}

func (u *unpack) string() string { return string(u.buffer()) }

// trace is what a run of the conformance program observed, one line each, with everything that
// differs from run to run replaced: zxids count from the first one seen, sessions are numbered,
// times are now or nothing.
type trace struct {
	t        testing.TB
	dial     func(server int) (net.Conn, error)
	lines    []string
	base     int64
	sessions map[int64]string
}

func (tr *trace) line(format string, args ...any) {
	tr.lines = append(tr.lines, fmt.Sprintf(format, args...))
}

func (tr *trace) zxid(z int64) string {
	switch {
	case z == 0 || z == -1:
		return fmt.Sprint(z)
	case tr.base == 0:
		tr.base = z
	}
	return fmt.Sprintf("z%+d", z-tr.base)
}

func (tr *trace) session(id int64) string {
	if id == 0 {
		return "none"
	}
	if id>>56 == -1 {
		return fmt.Sprintf("ttl %d", id&(1<<56-1))
	}
	if tr.sessions[id] == "" {
		tr.sessions[id] = fmt.Sprintf("s%d", len(tr.sessions)+1)
	}
	return tr.sessions[id]
}

func (tr *trace) when(ms int64) string {
	if ms == 0 {
		return "0"
	}
	if d := time.Since(time.UnixMilli(ms)); d < -time.Minute || d > time.Minute {
		return fmt.Sprintf("off by %v", d)
	}
	return "now"
}

func (tr *trace) stat(u *unpack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{c=%s m=%s", tr.zxid(u.int64()), tr.zxid(u.int64()))
	ctime, mtime := u.int64(), u.int64()
	fmt.Fprintf(&b, " ct=%s mt=%s", tr.when(ctime), tr.when(mtime))
	if mtime < ctime {
		b.WriteString(" mtime before ctime")
	}
	fmt.Fprintf(&b, " v=%d cv=%d av=%d", u.int(), u.int(), u.int())
	fmt.Fprintf(&b, " owner=%s len=%d kids=%d p=%s}", tr.session(u.int64()), u.int(), u.int(), tr.zxid(u.int64()))
	return b.String()
}

func (tr *trace) acls(u *unpack) string {
	var list []string
	for range u.int() {
		list = append(list, fmt.Sprintf("%d:%s:%s", u.int(), u.string(), u.string()))
	}
	return strings.Join(list, ",")
}

// raw is a client that speaks the protocol frame by frame.
type raw struct {
	tr   *trace
	name string
	conn net.Conn
	xid  int

	session  int64
	password []byte
	timeout  int
}

// hang bounds every wait; nothing here is ever that late.
const hang = 30 * time.Second

func (tr *trace) client(name string, server int) *raw {
	conn, err := tr.dial(server)
	if err != nil {
		tr.t.Fatalf("%s: dial: %v", name, err)
	}
	return &raw{tr: tr, name: name, conn: conn}
}

func (c *raw) send(body []byte) {
	c.conn.SetWriteDeadline(time.Now().Add(hang))
	// The next read notices a server that has hung up already.
	_, _ = c.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
}

func (c *raw) recv() ([]byte, error) {
	c.conn.SetReadDeadline(time.Now().Add(hang))
	return readFrame(c.conn)
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// hello sends a connect request and traces the answer.
func (c *raw) hello(what string, seen int64, timeout int, id int64, password []byte, tail ...any) *raw {
	c.send(pack(append([]any{0, seen, timeout, id, password}, tail...)...))
	return c.welcome(what)
}

func (c *raw) welcome(what string) *raw {
	b, err := c.recv()
	if err != nil {
		c.tr.line("%s %s: %s", c.name, what, ended(err))
		return c
	}
	u := &unpack{b}
	version, timeout, id, password := u.int(), u.int(), u.int64(), u.buffer()
	c.session, c.password, c.timeout = id, password, timeout
	zeros := strings.Trim(string(password), "\x00") == ""
	c.tr.line("%s %s: version=%d timeout=%d session=%s password=%d bytes, zeros=%v, rest=%x",
		c.name, what, version, timeout, c.tr.session(id), len(password), zeros, u.b)
	return c
}

// open makes a new session with the usual timeout, at server 0.
func (tr *trace) open(name string) *raw {
	return tr.client(name, 0).hello("opens a session", 0, stays, 0, make([]byte, 16), false)
}

// again reconnects the session of c on a new connection.
func (c *raw) again(name string, server int) *raw {
	return c.tr.client(name, server).hello("reconnects the session of "+c.name, 0, c.timeout, c.session, c.password, false)
}

func ended(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "NOTHING for too long"
	}
	return "connection closed"
}

// do sends a request and traces everything up to its reply.
func (c *raw) do(op int, what string, args ...any) {
	c.xid++
	c.call(c.xid, op, what, args...)
}

func (c *raw) call(xid, op int, what string, args ...any) {
	c.send(pack(append([]any{xid, op}, args...)...))
	c.await(xid, op, what)
}

// post sends a request without waiting.
func (c *raw) post(op int, args ...any) int {
	c.xid++
	c.send(pack(append([]any{c.xid, op}, args...)...))
	return c.xid
}

func (c *raw) await(xid, op int, what string) {
	for {
		b, err := c.recv()
		if err != nil {
			c.tr.line("%s %s: %s", c.name, what, ended(err))
			return
		}
		u := &unpack{b}
		gotXid, zxid, code := u.int(), u.int64(), u.int()
		if gotXid == -1 {
			c.event(u, zxid, code)
			continue
		}
		head := fmt.Sprintf("%s %s: ", c.name, what)
		if gotXid != xid {
			head += fmt.Sprintf("xid=%d instead of %d ", gotXid, xid)
		}
		c.tr.line("%szxid=%s err=%d %s", head, c.tr.zxid(zxid), code, c.body(op, u, code))
		if gotXid == xid {
			return
		}
	}
}

func (c *raw) event(u *unpack, zxid int64, code int) {
	c.tr.line("%s   event type=%d state=%d path=%s zxid=%s err=%d",
		c.name, u.int(), u.int(), u.string(), c.tr.zxid(zxid), code)
}

// settle shows the events that have come, by means of a ping behind them.
func (c *raw) settle() { c.call(-2, 11, "pings") }

// expectClosed shows events up to the end of the connection.
func (c *raw) expectClosed(why string) { c.await(-999, 0, why) }

func (c *raw) body(op int, u *unpack, code int) (text string) {
	defer func() {
		if e := recover(); e != nil {
			text += fmt.Sprint(e)
		} else if len(u.b) > 0 {
			text += fmt.Sprintf(" rest=%x", u.b)
		}
	}()
	if len(u.b) == 0 {
		return ""
	}
	switch op {
	case 1, 9:
		return fmt.Sprintf("path=%q", u.string())
	case 15, 19, 21:
		return "path=" + u.string() + " " + c.tr.stat(u)
	case 3, 5, 7:
		return c.tr.stat(u)
	case 4:
		data := u.buffer()
		return fmt.Sprintf("data=%q null=%v %s", data, data == nil, c.tr.stat(u))
	case 6:
		return c.tr.acls(u) + " " + c.tr.stat(u)
	case 8, 12:
		var kids []string
		for range u.int() {
			kids = append(kids, u.string())
		}
		sort.Strings(kids) // the order of a hash set means nothing
		text = fmt.Sprintf("children=%q", kids)
		if op == 12 {
			text += " " + c.tr.stat(u)
		}
		return text
	case 14:
		return c.multi(u)
	}
	return fmt.Sprintf("body=%x", u.take(len(u.b)))
}

func (c *raw) multi(u *unpack) string {
	var list []string
	for {
		op, done, code := u.int(), u.bool(), u.int()
		if done {
			return fmt.Sprintf("[%s] end=%d/%d", strings.Join(list, "; "), op, code)
		}
		part := fmt.Sprintf("op=%d err=%d", op, code)
		switch op {
		case -1:
			part += fmt.Sprintf(" again=%d", u.int())
		case 1:
			part += " path=" + u.string()
		case 15, 19:
			part += " path=" + u.string() + " " + c.tr.stat(u)
		case 5:
			part += " " + c.tr.stat(u)
		}
		list = append(list, part)
	}
}

// Shorthands for the requests that the program makes all the time.

func (c *raw) create(path string, data []byte, flags int) {
	c.do(1, fmt.Sprintf("create %q flags=%d", path, flags), path, data, open, flags)
}

func (c *raw) createACL(path string, list acls) {
	c.do(1, fmt.Sprintf("create %q acl=%v", path, list), path, []byte("x"), list, 0)
}

func (c *raw) delete(path string, version int) {
	c.do(2, fmt.Sprintf("delete %q version=%d", path, version), path, version)
}

func (c *raw) exists(path string, watch bool) {
	c.do(3, fmt.Sprintf("exists %q watch=%v", path, watch), path, watch)
}

func (c *raw) get(path string, watch bool) {
	c.do(4, fmt.Sprintf("getData %q watch=%v", path, watch), path, watch)
}

func (c *raw) set(path string, data []byte, version int) {
	c.do(5, fmt.Sprintf("setData %q version=%d", path, version), path, data, version)
}

func (c *raw) children(path string, watch bool) {
	c.do(8, fmt.Sprintf("getChildren %q watch=%v", path, watch), path, watch)
}

func (c *raw) children2(path string, watch bool) {
	c.do(12, fmt.Sprintf("getChildren2 %q watch=%v", path, watch), path, watch)
}

func (c *raw) getACL(path string) { c.do(6, fmt.Sprintf("getACL %q", path), path) }

func (c *raw) setACL(path string, list acls, version int) {
	c.do(7, fmt.Sprintf("setACL %q acl=%v version=%d", path, list, version), path, list, version)
}

func (c *raw) sync(path string) { c.do(9, fmt.Sprintf("sync %q", path), path) }

func (c *raw) close() {
	c.do(-11, "closes the session")
	c.expectClosed("then")
	c.conn.Close()
}

func (c *raw) auth(credential string) {
	c.call(-4, 100, "authenticates as "+credential, 0, "digest", []byte(credential))
}

func (c *raw) removeWatches(path string, kind int) {
	c.do(18, fmt.Sprintf("removeWatches %q type=%d", path, kind), path, kind)
}

// addWatch reports whether the server knows it. One that does not closes the connection.
func (c *raw) addWatch(path string, mode int) bool {
	c.do(106, fmt.Sprintf("addWatch %q mode=%d", path, mode), path, mode)
	return !strings.Contains(c.tr.lines[len(c.tr.lines)-1], " err=-6")
}

// sub is one operation of a multi.
type sub struct {
	op   int
	text string
	args []any
}

func mkCreate(path string, flags int) sub {
	return sub{1, fmt.Sprintf("create %s %d", path, flags), []any{path, []byte("m"), open, flags}}
}

func mkDelete(path string, version int) sub {
	return sub{2, fmt.Sprintf("delete %s %d", path, version), []any{path, version}}
}

func mkSet(path string, version int) sub {
	return sub{5, fmt.Sprintf("set %s %d", path, version), []any{path, []byte("set"), version}}
}

func mkCheck(path string, version int) sub {
	return sub{13, fmt.Sprintf("check %s %d", path, version), []any{path, version}}
}

func (c *raw) transact(subs ...sub) {
	var args []any
	var texts []string
	for _, s := range subs {
		args = append(append(args, s.op, false, -1), s.args...)
		texts = append(texts, s.text)
	}
	args = append(args, -1, true, -1)
	c.do(14, "multi "+strings.Join(texts, ", "), args...)
}
