package wire

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// ends are the two ends of a connection: a Conn with its hooks recorded, and the
// server's side, which the test plays.
type ends struct {
	t      *testing.T
	conn   *Conn
	server net.Conn

	mu       sync.Mutex // guards what follows
	shakes   []Handshake
	answered []clock.Instant
	sent     [][]byte
	failures []error
	limits   []int
	told     []string        // by Created, with + for an ephemeral one and else =, and by Missing, with -
	watching map[string]bool // by reads
	awaited  map[string]bool // by exists
}

// hang is how long a test waits for what should happen at once.
const hang = 30 * time.Second

func pair(t *testing.T, auth ...Auth) *ends {
	near, far := net.Pipe()
	e := &ends{t: t, server: far, watching: map[string]bool{}, awaited: map[string]bool{}}
	e.conn = New(near, time.Now().Add(hang), clock.System, Credentials{Auth: auth}, e.hooks())
	t.Cleanup(func() { e.conn.Close(); far.Close() })
	far.SetDeadline(time.Now().Add(hang))
	return e
}

func (e *ends) hooks() Hooks {
	locked := func(f func()) {
		e.mu.Lock()
		defer e.mu.Unlock()
		f()
	}
	return Hooks{
		Handshaken: func(h Handshake) error { locked(func() { e.shakes = append(e.shakes, h) }); return nil },
		Answered:   func(at clock.Instant) { locked(func() { e.answered = append(e.answered, at) }) },
		Created: func(path string, ephemeral bool) {
			sign := map[bool]string{true: "+", false: "="}[ephemeral]
			locked(func() { e.told = append(e.told, sign+path) })
		},
		Missing: func(path string) { locked(func() { e.told = append(e.told, "-"+path) }) },
		WantsWatch: func(path string, op int32) (ok bool) {
			locked(func() { ok = e.watching[path] && op != OpExists || e.awaited[path] && op == OpExists })
			return
		},
		Sent:   func(frame []byte) { locked(func() { e.sent = append(e.sent, slices.Clone(frame)) }) },
		Failed: func(err error) { locked(func() { e.failures = append(e.failures, err) }) },
		Limit:  func(n int) { locked(func() { e.limits = append(e.limits, n) }) },
	}
}

// request writes a frame as zk would, while the server reads it, and returns what the
// server got.
func (e *ends) request(frame []byte) []byte {
	e.t.Helper()
	written := make(chan error, 1)
	go func() { _, err := e.conn.Write(frame); written <- err }()
	got := e.take()
	if err := <-written; err != nil {
		e.t.Fatal(err)
	}
	return got
}

// take reads one frame at the server's side.
func (e *ends) take() []byte {
	e.t.Helper()
	got, err := readFrame(e.server)
	if err != nil {
		e.t.Fatal(err)
	}
	return got
}

func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head))
	copy(frame, head)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// answer lets the server send bytes while zk reads a frame; it returns what zk got.
func (e *ends) answer(raw []byte) ([]byte, error) {
	go e.server.Write(raw) // ends when all is read, or the connection is closed
	return readFrame(e.conn)
}

func (e *ends) shake() {
	e.t.Helper()
	e.request(framed(make([]byte, 44)))
	if _, err := e.answer(connected(7, 6*time.Second)); err != nil {
		e.t.Fatal(err)
	}
}

func framed(p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...)
}

func ints(p []byte, values ...int32) []byte {
	for _, v := range values {
		p = binary.BigEndian.AppendUint32(p, uint32(v))
	}
	return p
}

func str(p []byte, s string) []byte { return append(ints(p, int32(len(s))), s...) }

func connected(session int64, timeout time.Duration) []byte {
	p := ints(nil, 0, int32(timeout/time.Millisecond))
	p = binary.BigEndian.AppendUint64(p, uint64(session))
	return framed(append(str(p, string(make([]byte, 16))), 0))
}

func header(xid, op int32) []byte { return ints(nil, xid, op) }

func getData(xid int32, path string) []byte {
	return framed(append(str(header(xid, opGetData), path), 0))
}

func reply(xid, code int32, body []byte) []byte {
	return framed(slices.Concat(ints(nil, xid, 0, 99, code), body))
}

func stat() []byte { return make([]byte, statSize) }

// data is the body of a getData reply.
func data(s string) []byte { return append(str(nil, s), stat()...) }

// create is the body of a create of /a.
func create(flags int32) []byte { return ints(str(nil, "/a"), -1, 0, flags) }

// anyBody is the body of a request of that kind, about /a.
func anyBody(op int32) []byte {
	switch op {
	case opCreate:
		return create(0)
	case opDelete, opCheck:
		return ints(str(nil, "/a"), -1)
	case opSetData:
		return ints(str(nil, "/a"), -1, -1)
	case opMulti:
		return multi(part{opCreate, create(0)}, part{opSetData, anyBody(opSetData)})
	}
	return append(str(nil, "/a"), 0)
}

// part is an operation of a multi, or a result.
type part struct {
	kind int32
	body []byte
}

func multi(parts ...part) (p []byte) {
	for _, one := range append(parts, part{kind: -1}) {
		p = ints(p, one.kind)
		p = append(p, 0, 0xff, 0xff, 0xff, 0xff)
		p = append(p, one.body...)
	}
	p[len(p)-5] = 1 // the end
	return p
}

// refusal is the result of an operation of a multi that was refused.
func refusal(code int32) part { return part{errorResult, ints(nil, code)} }
