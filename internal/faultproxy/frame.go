package faultproxy

import (
	"bytes"
	"encoding/binary"
	"io"
	"time"
)

// Dir is a direction; Both is ToServer and ToClient together.
type Dir uint8

// The directions.
const (
	ToServer Dir = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// String returns "to server", "to client" or "both".
func (d Dir) String() string {
	switch d {
	case ToServer:
		return "to server"
	case ToClient:
		return "to client"
	}
	return "both"
}

// Frame describes one frame that the proxy has read.
type Frame struct {
	Conn  int // the connection's number, 1, 2, ... in order of arrival
	Dir   Dir
	Op    Op
	First Op        // of a multi request: its first operation
	Path  string    // of a request or an event; of a multi, that of its first operation
	Xid   int32     // the client's number for the request; -1 for an event
	Zxid  int64     // of a reply: the last transaction the server had seen
	Err   int32     // of a reply: 0 or ZooKeeper's error code
	Event int32     // of an event: its type (1 created, 2 deleted, 3 data, 4 children)
	Bytes int       // length on the wire, with the length prefix
	When  time.Time // when the proxy had read it

	// Of a connect request or response: the session asked for or given (0: a new one, or expired)
	// and its timeout.
	Session int64
	Timeout time.Duration
}

// maxFrame is the largest length believed to be one: far above the servers' usual limit of 1 MB
// (jute.maxbuffer), far below what four letters or a TLS hello look like when read as a length.
const maxFrame = 64 << 20

// ReservedXids (org.apache.zookeeper.ClientCnxn): replies with these numbers have no request of
// that number, or share it with all of their kind.
const (
	xidEvent = -1
	xidPing  = -2
)

// readFrame reads one frame, prefix included. framed is false for bytes that are none: a prefix
// that is no length, or a frame cut short by the end of the stream. Bytes may come along with an
// error.
func readFrame(r io.Reader) (data []byte, framed bool, err error) {
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, 4); err != nil {
		return buf.Bytes(), false, err
	}
	n := int32(binary.BigEndian.Uint32(buf.Bytes()))
	if n < 0 || n > maxFrame {
		return buf.Bytes(), false, nil
	}
	_, err = io.CopyN(&buf, r, int64(n)) // grows with what comes, not with the length that is announced
	return buf.Bytes(), err == nil, err
}

// parseRequest fills in what a request tells; first marks the connect request.
func parseRequest(f *Frame, data []byte, first bool) {
	d := decoder{rest: data[4:]}
	if first {
		parseConnect(f, &d, d.int64) // protocol version, last zxid seen, ...
		return
	}
	xid, op := d.int32(), Op(d.int32())
	if d.short {
		f.Op = OpRaw
		return
	}
	f.Xid, f.Op = xid, op
	if op == OpMulti {
		f.First = Op(d.int32())
		d.skip(1 + 4) // done, err
		op = f.First
	}
	if op.hasPath() {
		f.Path = d.string()
	}
}

// parseReply fills in what a reply or event tells, except the operation of a reply, which only its
// request knows.
func parseReply(f *Frame, data []byte, first bool) {
	d := decoder{rest: data[4:]}
	if first {
		parseConnect(f, &d, nil) // protocol version, ...
		return
	}
	f.Op = OpRaw
	xid, zxid, code := d.int32(), d.int64(), d.int32()
	if d.short {
		return
	}
	f.Xid, f.Zxid, f.Err = xid, zxid, code
	if xid == xidEvent {
		f.Op = OpEvent
		f.Event = d.int32()
		d.skip(4) // state
		f.Path = d.string()
	}
}

// parseConnect reads a connect request or response; between skips the field that only the request
// has.
func parseConnect(f *Frame, d *decoder, between func() int64) {
	f.Op = OpConnect
	d.skip(4)
	if between != nil {
		between()
	}
	f.Timeout = time.Duration(d.int32()) * time.Millisecond
	f.Session = d.int64()
}

// decoder takes fields off the front of a frame; past the end it yields zero values.
type decoder struct {
	rest  []byte
	short bool // a field was missing
}

func (d *decoder) take(n int) []byte {
	if d.short || n < 0 || n > len(d.rest) {
		d.short = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) skip(n int) { d.take(n) }

func (d *decoder) int32() int32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

func (d *decoder) int64() int64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (d *decoder) string() string { return string(d.take(int(d.int32()))) }

// failedReply builds the reply a server would give to a request that failed.
func failedReply(request Frame, zxid int64, code int32) []byte {
	if request.Op == OpConnect {
		return expiredSession()
	}
	b := binary.BigEndian.AppendUint32(nil, 16)
	b = binary.BigEndian.AppendUint32(b, uint32(request.Xid))
	b = binary.BigEndian.AppendUint64(b, uint64(zxid))
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

// expiredSession builds the connect response for a session that is over: timeout 0, session 0, an
// empty password of 16 bytes, not read-only.
func expiredSession() []byte {
	const n = 4 + 4 + 8 + 4 + 16 + 1
	b := make([]byte, 4+n)
	binary.BigEndian.PutUint32(b, n)
	binary.BigEndian.PutUint32(b[4+16:], 16)
	return b
}
