package faultproxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// fakeServer answers the connect request and then every request with its xid, a zxid that counts
// up, and err 0. "event" on the path makes it send a watch event before the reply.
type fakeServer struct {
	t    *testing.T
	l    net.Listener
	seen chan string // "op path" of every request
	wg   sync.WaitGroup
}

func startFake(t *testing.T) *fakeServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{t: t, l: l, seen: make(chan string, 100)}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); s.wg.Wait() })
	return s
}

func (s *fakeServer) serve(c net.Conn) {
	defer c.Close()
	zxid := uint64(100)
	for first := true; ; first = false {
		data, framed, err := readFrame(c)
		if err != nil || !framed {
			return
		}
		var f Frame
		parseRequest(&f, data, first)
		if first {
			c.Write(connectResponse(4000, 77))
			continue
		}
		s.seen <- f.Op.String() + " " + f.Path
		zxid++
		if f.Path == "/event" {
			c.Write(event(2, "/gone"))
		}
		c.Write(reply(f.Xid, zxid, 0, "body"))
	}
}

func prefix(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func str(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func connectRequest(timeout uint32, session uint64) []byte {
	b := make([]byte, 12) // protocol version, last zxid
	b = binary.BigEndian.AppendUint32(b, timeout)
	b = binary.BigEndian.AppendUint64(b, session)
	return prefix(append(str(b, string(make([]byte, 16))), 0))
}

func connectResponse(timeout uint32, session uint64) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), timeout)
	b = binary.BigEndian.AppendUint64(b, session)
	return prefix(append(str(b, string(make([]byte, 16))), 0))
}

func req(xid int32, op Op, path string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(xid))
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	if op == OpMulti {
		b = binary.BigEndian.AppendUint32(b, uint32(OpCheck))
		b = append(b, 0, 255, 255, 255, 255)
	}
	return prefix(str(b, path))
}

func reply(xid int32, zxid uint64, code uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(xid))
	b = binary.BigEndian.AppendUint64(b, zxid)
	b = binary.BigEndian.AppendUint32(b, code)
	return prefix(append(b, body...))
}

func event(kind uint32, path string) []byte {
	b := binary.BigEndian.AppendUint32(nil, kind)
	b = binary.BigEndian.AppendUint32(b, 3)
	minusOne := int64(-1)
	return reply(-1, uint64(minusOne), 0, string(str(b, path)))
}

// client speaks the protocol through the proxy.
type client struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, p *Proxy) *client {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(2 * time.Minute)) // only so that a broken test ends
	t.Cleanup(func() { c.Close() })
	return &client{t, c}
}

func connect(t *testing.T, p *Proxy) *client {
	t.Helper()
	c := dial(t, p)
	c.send(connectRequest(6000, 0))
	if f := c.next(true); f.Session != 77 || f.Timeout != 4*time.Second {
		t.Fatalf("connect response %+v", f)
	}
	return c
}

func (c *client) send(data []byte) {
	c.t.Helper()
	if _, err := c.Write(data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next(first bool) Frame {
	c.t.Helper()
	data, framed, err := readFrame(c)
	if err != nil || !framed {
		c.t.Fatalf("want a frame, got %q, %v", data, err)
	}
	f := Frame{Bytes: len(data)}
	parseReply(&f, data, first)
	return f
}

func (c *client) wantReply(xid, code int32) {
	c.t.Helper()
	if f := c.next(false); f.Xid != xid || f.Err != code {
		c.t.Fatalf("reply xid %d err %d, want xid %d err %d", f.Xid, f.Err, xid, code)
	}
}

func (c *client) wantEnd() {
	c.t.Helper()
	if data, err := io.ReadAll(c); len(data) > 0 || errors.Is(err, context.DeadlineExceeded) {
		c.t.Fatalf("want the end of the connection, got %q, %v", data, err)
	}
}

func (s *fakeServer) want(ops ...string) {
	s.t.Helper()
	for _, op := range ops {
		select {
		case got := <-s.seen:
			if got != op {
				s.t.Fatalf("server got %q, want %q", got, op)
			}
		case <-time.After(2 * time.Minute):
			s.t.Fatalf("server did not get %q", op)
		}
	}
}

func setup(t *testing.T) (*fakeServer, *Proxy) {
	s := startFake(t)
	p, err := New(s.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return s, p
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func wait(t *testing.T, f *Fault) {
	t.Helper()
	if err := f.Wait(within(t)); err != nil {
		t.Fatal(err)
	}
}

// record collects the frames that the proxy reports.
func record(p *Proxy) <-chan Frame {
	frames := make(chan Frame, 1000)
	p.OnFrame(func(f Frame) { frames <- f })
	return frames
}

// await skips frames until one of this direction and operation comes.
func await(t *testing.T, frames <-chan Frame, dir Dir, op Op) Frame {
	t.Helper()
	for {
		select {
		case f := <-frames:
			if f.Dir == dir && f.Op == op {
				return f
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("no %v %v", op, dir)
		}
	}
}
