package faultproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

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
