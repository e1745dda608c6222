package faultproxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeServer answers the connect request and then every request with its xid, a zxid that counts up, and err 0.
// "event" on the path makes it send a watch event before the reply.
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
	c.SetDeadline(time.Now().Add(30 * time.Second)) // only so that a broken test ends
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
		case <-time.After(30 * time.Second):
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
		case <-time.After(30 * time.Second):
			t.Fatalf("no %v %v", op, dir)
		}
	}
}

func TestFramesPassAndAreReported(t *testing.T) {
	s, p := setup(t)
	frames := record(p)
	c := connect(t, p)
	c.send(req(1, OpGetData, "/event"))
	if f := c.next(false); f.Op != OpEvent || f.Path != "/gone" || f.Event != 2 {
		t.Errorf("event %+v", f)
	}
	c.wantReply(1, 0)
	c.send(req(2, OpMulti, "/own"))
	c.wantReply(2, 0)
	s.want("getData /event", "multi /own")

	if f := await(t, frames, ToServer, OpConnect); f.Timeout != 6*time.Second || f.Bytes != 49 {
		t.Errorf("connect request %+v", f)
	}
	if f := await(t, frames, ToClient, OpConnect); f.Session != 77 || f.Conn != 1 {
		t.Errorf("connect response %+v", f)
	}
	await(t, frames, ToServer, OpGetData)
	if f := await(t, frames, ToClient, OpEvent); f.Path != "/gone" || f.Event != 2 {
		t.Errorf("event %+v", f)
	}
	if f := await(t, frames, ToClient, OpGetData); f.Zxid != 101 || f.Path != "/event" {
		t.Errorf("reply %+v", f)
	}
	if f := await(t, frames, ToServer, OpMulti); f.First != OpCheck || f.Path != "/own" {
		t.Errorf("multi %+v", f)
	}

	counts := p.Counts()
	if n := counts.Requests[OpGetData]; n != (Count{1, len(req(1, OpGetData, "/event"))}) {
		t.Errorf("getData requests %+v", n)
	}
	requests, replies := counts.Total()
	if requests.Frames != 3 || replies.Frames != 4 || counts.Connections != 1 {
		t.Errorf("counts %+v", counts)
	}
	p.Reset()
	if requests, _ := p.Counts().Total(); requests != (Count{}) {
		t.Errorf("after Reset %+v", requests)
	}
}

func TestLostReplyReachesTheServerAndCutsTheConnection(t *testing.T) {
	s, p := setup(t)
	lost := p.LoseReply(OpCreate, 2)
	c := connect(t, p)
	c.send(req(1, OpCreate, "/a"))
	c.wantReply(1, 0)
	c.send(req(2, OpCreate, "/b"))
	wait(t, lost)
	c.wantEnd()
	s.want("create /a", "create /b")
	if f := lost.Frame(); f.Xid != 2 || f.Zxid != 102 || f.Dir != ToClient {
		t.Errorf("struck %+v", f)
	}
	c = connect(t, p)
	c.send(req(1, OpCreate, "/c"))
	c.wantReply(1, 0) // it struck once
}

func TestLostRequestNeverReachesTheServer(t *testing.T) {
	s, p := setup(t)
	lost := p.LoseRequest(OpDelete, 1)
	c := connect(t, p)
	c.send(req(1, OpCreate, "/a"))
	c.wantReply(1, 0)
	c.send(req(2, OpDelete, "/a"))
	wait(t, lost)
	c.wantEnd()
	c = connect(t, p)
	c.send(req(1, OpExists, "/a"))
	c.wantReply(1, 0)
	s.want("create /a", "exists /a")
}

func TestFailedReplyKeepsItsPlaceInTheOrder(t *testing.T) {
	s, p := setup(t)
	first := p.HoldReply(OpCreate, 1)
	failed := p.FailReply(OpGetData, 1, -101)
	c := connect(t, p)
	c.send(slices.Concat(req(1, OpCreate, "/a"), req(2, OpGetData, "/a"), req(3, OpExists, "/a")))
	wait(t, first)
	s.want("create /a", "exists /a")
	select {
	case <-failed.Done():
		t.Fatal("the made-up reply overtook the reply before it")
	default:
	}
	first.Release()
	c.wantReply(1, 0)
	c.wantReply(2, -101)
	c.wantReply(3, 0)
	wait(t, failed)
}

func TestFailedConnectIsAnExpiredSession(t *testing.T) {
	_, p := setup(t)
	expired := p.FailReply(OpConnect, 1, 0)
	c := dial(t, p)
	c.send(connectRequest(6000, 77))
	if f := c.next(true); f.Session != 0 || f.Timeout != 0 || f.Bytes != 41 {
		t.Errorf("connect response %+v", f)
	}
	wait(t, expired)
}

func TestHeldRequestBlocksThoseBehindIt(t *testing.T) {
	s, p := setup(t)
	held := p.HoldRequest(OpSync, 1)
	c := connect(t, p)
	c.send(slices.Concat(req(1, OpExists, "/a"), req(2, OpSync, "/a"), req(3, OpGetData, "/a")))
	c.wantReply(1, 0)
	wait(t, held)
	s.want("exists /a")
	held.Release()
	c.wantReply(2, 0)
	c.wantReply(3, 0)
	s.want("sync /a", "getData /a")
}

func TestEventCanBeHeldAlone(t *testing.T) {
	_, p := setup(t)
	held := p.HoldReply(OpEvent, 1)
	c := connect(t, p)
	c.send(req(1, OpGetData, "/event"))
	wait(t, held)
	if f := held.Frame(); f.Path != "/gone" {
		t.Errorf("held %+v", f)
	}
	held.Release()
	if f := c.next(false); f.Op != OpEvent {
		t.Errorf("got %+v", f)
	}
	c.wantReply(1, 0)
}

func TestConditionChoosesTheRequest(t *testing.T) {
	s, p := setup(t)
	lost := p.On(func(f Frame) bool { return f.Op == OpMulti && f.First == OpCheck && f.Path == "/b" }, 1, LoseRequest)
	c := connect(t, p)
	c.send(req(1, OpMulti, "/a"))
	c.wantReply(1, 0)
	c.send(req(2, OpMulti, "/b"))
	wait(t, lost)
	s.want("multi /a")
}

func TestCancelledFaultDoesNotStrike(t *testing.T) {
	_, p := setup(t)
	lost := p.LoseReply(OpAny, 1)
	lost.Cancel()
	c := connect(t, p)
	c.send(req(1, OpExists, "/a"))
	c.wantReply(1, 0)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lost.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
}

func TestHoldQueuesInOrderUntilRelease(t *testing.T) {
	s, p := setup(t)
	c := connect(t, p)
	frames := record(p)
	p.Hold(ToServer)
	c.send(slices.Concat(req(1, OpExists, "/a"), req(2, OpExists, "/b")))
	await(t, frames, ToServer, OpExists)
	await(t, frames, ToServer, OpExists)
	select {
	case got := <-s.seen:
		t.Fatalf("server got %q through a hold", got)
	default:
	}
	p.Release(ToServer)
	s.want("exists /a", "exists /b")
	c.wantReply(1, 0)
	c.wantReply(2, 0)
}

func TestObserverCanCatchTheFrameItSees(t *testing.T) {
	s, p := setup(t)
	caught := make(chan struct{})
	p.OnFrame(func(f Frame) {
		if f.Dir == ToClient && f.Op == OpCreate {
			p.Drop(ToClient, true)
			close(caught)
		}
	})
	c := connect(t, p)
	c.send(req(1, OpCreate, "/a"))
	<-caught
	p.OnFrame(nil)
	frames := record(p)
	c.send(req(2, OpExists, "/a"))
	await(t, frames, ToClient, OpExists)
	p.Hold(ToServer)
	s.want("create /a", "exists /a")
	c.send(req(3, OpExists, "/b"))
	await(t, frames, ToServer, OpExists)
	p.Drop(ToClient, false) // the third request is not answered before this
	p.Release(ToServer)
	for {
		// The second reply was read before Drop ended, but may have been delivered after.
		if f := c.next(false); f.Xid == 3 {
			break
		} else if f.Xid == 1 {
			t.Fatal("the caught reply came through")
		}
	}
}

func TestDroppedSideHidesTheClientsEnd(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { c, _ := l.Accept(); accepted <- c }()
	p, err := New(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := dial(t, p)
	server := <-accepted
	defer server.Close()
	p.Drop(ToServer, true)
	c.Close()
	if err := p.WaitConnections(within(t), 0); err != nil {
		t.Fatal(err)
	}
	server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := server.Read(make([]byte, 1)); err == io.EOF {
		t.Fatal("the server saw the end through a black hole")
	}
	p.Drop(ToServer, false)
	server.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("after the black hole: %v, want EOF", err)
	}
}

func TestDelayAndRateSpaceFrames(t *testing.T) {
	for name, slow := range map[string]func(*Proxy){
		"delay": func(p *Proxy) { p.Delay(ToServer, 80*time.Millisecond) },
		"rate":  func(p *Proxy) { p.Rate(ToServer, 10*len(req(1, OpExists, "/a"))) }, // 100 ms each
	} {
		t.Run(name, func(t *testing.T) {
			s, p := setup(t)
			c := connect(t, p)
			slow(p)
			start := time.Now()
			c.send(slices.Concat(req(1, OpExists, "/a"), req(2, OpExists, "/b")))
			c.wantReply(1, 0)
			c.wantReply(2, 0)
			s.want("exists /a", "exists /b")
			if took := time.Since(start); took < 80*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestCutEndsAllConnectionsAtOnce(t *testing.T) {
	_, p := setup(t)
	a, b := connect(t, p), connect(t, p)
	if err := p.WaitConnections(within(t), 2); err != nil {
		t.Fatal(err)
	}
	p.Cut(true)
	for _, c := range []*client{a, b} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v, want a reset", err)
		}
	}
	if err := p.WaitConnections(within(t), 0); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p)
	p.Cut(false)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v, want EOF", err)
	}
}

func TestListenerFaults(t *testing.T) {
	s, p := setup(t)
	p.Refuse(true)
	dial(t, p).wantEnd()
	p.Refuse(false)

	p.Silent(true)
	silent := dial(t, p)
	silent.send(connectRequest(6000, 0))
	silent.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if _, err := silent.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("silent connection: %v, want no answer", err)
	}
	p.Silent(false)

	p.Unlisten()
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		c.Close()
		t.Error("connected to a closed listener")
	}
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	connect(t, p)

	other := startFake(t)
	p.SetTarget(other.l.Addr().String())
	c := connect(t, p)
	c.send(req(1, OpExists, "/other"))
	c.wantReply(1, 0)
	other.want("exists /other")
	if n := p.Counts().Connections; n != 4 {
		t.Errorf("%d connections accepted, want 4", n)
	}
	s.l.Close()
}

func TestCloseReleasesEverythingHeld(t *testing.T) {
	_, p := setup(t)
	held := p.HoldReply(OpExists, 1)
	a, b := connect(t, p), connect(t, p)
	a.send(req(1, OpExists, "/a"))
	wait(t, held)
	p.Hold(Both)
	b.send(req(1, OpExists, "/b"))
	p.Close()
	p.Close()
	a.wantEnd()
	b.wantEnd()
	if err := p.Listen(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Close: %v", err)
	}
}

func TestServerDownClosesTheClient(t *testing.T) {
	s, p := setup(t)
	s.l.Close()
	dial(t, p).wantEnd()
}

// carry sends data through a proxy to a server that returns what it got, both ways.
func carry(t *testing.T, data []byte) (atServer, atClient []byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- nil
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c)
		c.Write(all)
		got <- all
	}()
	p, err := New(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := dial(t, p)
	c.send(data)
	c.Conn.(*net.TCPConn).CloseWrite()
	atClient, err = io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return <-got, atClient
}

func TestFourLetterWordsPass(t *testing.T) {
	if atServer, atClient := carry(t, []byte("srvr")); string(atServer) != "srvr" || string(atClient) != "srvr" {
		t.Errorf("got %q and %q", atServer, atClient)
	}
}

func FuzzAnyBytesPassUnchanged(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 0})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 1, 0, 42})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 2, 0, 1, 0})
	f.Add(slices.Concat(connectRequest(1, 2), req(1, OpMulti, "/a"), prefix([]byte{1, 2, 3})))
	f.Add(slices.Concat(connectRequest(1, 2), req(1, OpCreate, ""), []byte{255, 255, 255, 255, 1}))
	f.Add(slices.Concat(connectResponse(1, 2), event(1, "/a")[:30], reply(-2, 1, 0, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		atServer, atClient := carry(t, data)
		if !bytes.Equal(atServer, data) || !bytes.Equal(atClient, data) {
			t.Errorf("sent %q, server got %q, client got back %q", data, atServer, atClient)
		}
	})
}

func FuzzParsingNeverPanics(f *testing.F) {
	f.Add(req(1, OpMulti, "/a"), false)
	f.Add(event(2, "/a"), true)
	f.Add(connectRequest(1, 2), true)
	f.Fuzz(func(t *testing.T, data []byte, first bool) {
		r := bytes.NewReader(data)
		got, framed, err := readFrame(r)
		if rest, _ := io.ReadAll(r); !bytes.Equal(append(slices.Clone(got), rest...), data) {
			t.Fatal("bytes got lost")
		}
		if framed != (err == nil && len(got) >= 4 && int(binary.BigEndian.Uint32(got)) == len(got)-4) {
			t.Fatalf("framed %v for %q, %v", framed, got, err)
		}
		if framed {
			var f Frame
			parseRequest(&f, got, first)
			parseReply(&f, got, first)
		}
	})
}
