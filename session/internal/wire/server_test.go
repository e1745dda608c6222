package wire

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// ends are the two ends of a connection: a Conn with its hooks recorded, and the server's side,
// which the test plays.
type ends struct {
	t      *testing.T
	conn   *Conn
	server net.Conn

	mu       sync.Mutex // guards what follows
	shakes   []Handshake
	answered []clock.Instant
	failures []error
	events   []string        // their paths
	watching map[string]bool // by reads
	awaited  map[string]bool // by exists
}

// hang is how long a test waits for something that should happen at once.
const hang = 30 * time.Second

func pair(t *testing.T, auth ...Auth) *ends { return pairSince(t, 0, auth...) }

// pairSince is pair for a session that has seen a transaction.
func pairSince(t *testing.T, zxid int64, auth ...Auth) *ends {
	near, far := net.Pipe()
	e := &ends{t: t, server: far, watching: map[string]bool{}, awaited: map[string]bool{}}
	e.conn = New(near, time.Now().Add(hang), zxid, clock.System, Credentials{Auth: auth}, e.hooks())
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
		WantsWatch: func(path string, op int32) (ok bool) {
			locked(func() { ok = e.watching[path] && op != OpExists || e.awaited[path] && op == OpExists })
			return
		},
		Failed: func(err error) { locked(func() { e.failures = append(e.failures, err) }) },
		Event:  func(_ zk.EventType, path string) { locked(func() { e.events = append(e.events, path) }) },
	}
}

// request writes a frame as zk would, while the server reads it. It returns what the server
// received.
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

// send sends a request, while the server reads its frame. It returns what the server received, and
// the channel for the answer.
func (e *ends) send(r *Request) (frame []byte, answer <-chan Answer) {
	e.t.Helper()
	answer = e.once(r)
	sent := make(chan bool, 1)
	go func() { sent <- e.conn.Send(r, func(f func()) { go f() }) }()
	frame = e.take()
	if !<-sent {
		e.t.Fatal("a frame was sent, but Send reports no connection")
	}
	return frame, answer
}

// once sets Answered of a request. It fails the test if the request is answered twice, or if the
// end of the connection has not been reported before its lost request.
func (e *ends) once(r *Request) <-chan Answer {
	answer := make(chan Answer, 1)
	done := false
	r.Answered = func(a Answer) {
		e.mu.Lock()
		defer e.mu.Unlock()
		switch {
		case done:
			e.t.Errorf("%+v is a second answer", a)
			return
		case a.Lost && len(e.failures) == 0:
			e.t.Error("a request is lost before Failed has told why")
		}
		done = true
		answer <- a
	}
	return answer
}

// ask sends a request, which the server answers, and returns the answer and the error of zk's
// reading.
func (e *ends) ask(r *Request, code int32, body []byte) (Answer, error) {
	e.t.Helper()
	frame, answer := e.send(r)
	err := e.past(reply(number(frame), code, body))
	return <-answer, err
}

// past lets the server send bytes that are not for zk, and then the answer to a ping. It returns
// the error of zk's reading.
func (e *ends) past(raw []byte) error {
	e.t.Helper()
	e.request(ping())
	got, err := e.answer(slices.Concat(raw, pong()))
	if err == nil && !slices.Equal(got, pong()) {
		e.t.Errorf("zk read %q", got)
	}
	return err
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

// answer lets the server send bytes while zk reads a frame. It returns what zk has read.
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

// number returns the number of the request or of the reply in a frame.
func number(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame[lengthSize:])) }

// kind returns the operation code of the request in a frame.
func kind(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame[lengthSize+4:])) }

// ping returns a ping. After the handshake zk sends only pings and the close of the session.
const xidPing = -2

func ping() []byte { return framed(ints(nil, xidPing, opPing)) }

func pong() []byte { return reply(xidPing, 0, nil) }

// changed is an event: the data of the znode at path has changed.
func changed(path string) []byte { return reply(xidEvent, 0, str(ints(nil, 3, 3), path)) }

func reply(xid, code int32, body []byte) []byte {
	return framed(slices.Concat(ints(nil, xid, 0, 99, code), body))
}

const statSize = 68

func stat() []byte { return make([]byte, statSize) }

// data is the body of the answer to a read.
func data(s string) []byte { return append(str(nil, s), stat()...) }

// read is a request for the data of a znode.
func read(path string) *Request { return one(Op{Kind: OpGetData, Path: path}) }

func one(op Op) *Request { return &Request{Ops: []Op{op}} }

func multi(ops ...Op) *Request { return &Request{Ops: ops, Multi: true} }

// about is a request of that kind about /a.
func about(kind int32) *Request {
	if kind == opMulti {
		return multi(Op{Kind: OpCreate, Path: "/a"}, Op{Kind: OpSetData, Path: "/a", Version: -1})
	}
	return one(Op{Kind: kind, Path: "/a", Version: -1})
}

// part is the result of an operation of a multi.
type part struct {
	kind int32
	body []byte
}

// results is the body of the answer to a multi.
func results(parts ...part) (p []byte) {
	for _, one := range slices.Concat(parts, []part{{kind: -1}}) {
		p = ints(p, one.kind)
		p = append(p, 0, 0xff, 0xff, 0xff, 0xff)
		p = append(p, one.body...)
	}
	p[len(p)-5] = 1 // the end
	return p
}

// refusal is the result of an operation of a multi that was refused.
func refusal(code int32) part { return part{errorResult, ints(nil, code)} }
