package wire

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// A peer plays the server for a real zk.Conn on top of a Conn. zk reads from the Conn, and decodes
// what it gets, in its own goroutines. A panic there ends the process, and FuzzStream notices that.
type peer struct {
	last  atomic.Pointer[Conn]
	dials chan func(net.Conn) // how to treat the next connection
	ended chan error          // why a connection ended
	owed  sync.WaitGroup      // answers: a request is sent on each connection; a second answer panics
}

func newPeer(t testing.TB) *peer {
	p := &peer{dials: make(chan func(net.Conn)), ended: make(chan error, 1)}
	var servers sync.WaitGroup
	stop := make(chan struct{})
	dial := func(string, string, time.Duration) (net.Conn, error) {
		select {
		case serve := <-p.dials:
			near, far := net.Pipe()
			servers.Go(func() { serve(far); far.Close() })
			c := New(near, time.Now().Add(hang), 0, clock.System, Credentials{}, Hooks{
				Handshaken: func(Handshake) error { return nil },
				Answered:   func(clock.Instant) {},
				WantsWatch: func(string, int32) bool { return false },
				Failed:     func(err error) { p.ended <- err },
				Event:      func(zk.EventType, string) {},
			})
			p.last.Store(c)
			return c, nil
		case <-stop:
			return nil, net.ErrClosed
		}
	}
	conn, events, err := zk.Connect([]string{"peer"}, time.Hour, zk.WithDialer(dial),
		zk.WithHostProvider(oneHost{stop}), zk.WithLogger(quiet{}), zk.WithEventCallback(p.request))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(stop)
		go func() {
			for range p.ended { // nobody else reads it now
			}
		}()
		if c := p.last.Load(); c != nil {
			c.Close()
		}
		conn.Close()
		for range events {
		}
		servers.Wait()
		close(p.ended)
	})
	return p
}

// request waits for a connection and sends a request on it.
func (p *peer) request(e zk.Event) {
	if e.State != zk.StateHasSession {
		return
	}
	p.owed.Add(1)
	r := about(OpGetData)
	r.Answered = func(Answer) { p.owed.Done() }
	if !p.last.Load().Send(r, func(f func()) { go f() }) {
		p.owed.Done()
	}
}

type oneHost struct{ stop chan struct{} }

func (oneHost) Init([]string) error { return nil }
func (oneHost) Len() int            { return 1 }
func (oneHost) Connected()          {}
func (h oneHost) Next() (string, bool) {
	select {
	case <-h.stop:
		return "peer", true
	default:
		return "peer", false
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// kinds are the requests to which FuzzReply sends answers.
var kinds = []func() *Request{
	func() *Request { return about(OpGetData) },
	func() *Request { return about(OpGetChildren2) },
	func() *Request { return about(OpExists) },
	func() *Request { return about(OpSetWatches) },
	func() *Request { return about(OpCreate) },
	func() *Request { return about(OpSetData) },
	func() *Request { return about(OpSync) },
	func() *Request { return about(OpDelete) },
	func() *Request {
		return multi(Op{Kind: OpCheck, Path: "/a"}, Op{Kind: OpCreate, Path: "/b-", Flags: zk.FlagEphemeralSequential},
			Op{Kind: OpSetData, Path: "/a"}, Op{Kind: OpDelete, Path: "/a"})
	},
	func() *Request { return one(Op{Kind: OpCreate, Path: "/a", Flags: zk.FlagSequence}) },
	func() *Request { return about(OpRemoveWatches) },
	func() *Request { return about(OpAddWatch) },
}

// usable reports whether the caller of r can use an answer.
func usable(r *Request, a Answer) bool {
	switch {
	case a.Lost, a.Code != 0:
		return a.Results == nil
	case len(a.Results) != len(r.Ops):
		return false
	case failed(a.Results) >= 0:
		return r.Multi
	}
	for i, op := range r.Ops {
		result := a.Results[i]
		switch {
		case op.Kind == OpCreate && (!strings.HasPrefix(result.Path, op.Path) || (len(result.Path) > len(op.Path)) != (op.Flags&zk.FlagSequence != 0)),
			slices.ContainsFunc(result.Children, func(name string) bool { return name == "" || strings.Contains(name, "/") }):
			return false
		}
	}
	return true
}

// FuzzReply answers one request of each kind with arbitrary bytes. Either the caller can use the
// answer, or the connection ends.
func FuzzReply(f *testing.F) {
	for i, body := range [][]byte{
		data("x"), append(str(str(ints(nil, 2), "a"), "b"), stat()...), stat(), nil, str(nil, "/a"), stat(), str(nil, "/a"), nil,
		results(part{OpCheck, nil}, part{OpCreate, str(nil, "/b-0000000001")}, part{OpSetData, stat()}, part{OpDelete, nil}),
		str(nil, "/a0000000001"), nil, ints(nil, 0),
	} {
		f.Add(byte(i), int32(0), body)
		f.Add(byte(i), int32(-101), body)
	}
	f.Add(byte(1), int32(0), ints(nil, 0x7fffffff))
	f.Add(byte(1), int32(0), append(str(ints(nil, 1), "a/b"), stat()...))
	f.Add(byte(4), int32(0), str(nil, "/x"))
	f.Add(byte(8), int32(0), results(refusal(0))[:9])
	f.Add(byte(8), int32(0), results(refusal(0), refusal(-101), refusal(-2), refusal(-2)))
	f.Add(byte(8), int32(0), results(part{OpCheck, nil}, part{OpCreate, str(nil, "/b-0000000001")}, part{OpCheck, nil}, part{OpDelete, nil}))
	f.Add(byte(8), int32(0), results(part{OpCheck, nil}, part{OpCreate, str(nil, "/x")}, part{OpSetData, stat()}, part{OpDelete, nil}))
	f.Add(byte(11), int32(0), []byte("abc"))
	f.Fuzz(func(t *testing.T, kind byte, code int32, body []byte) {
		if len(body) > 1<<16 {
			t.Skip()
		}
		e := pair(t)
		e.shake()
		r := kinds[int(kind)%len(kinds)]()
		a, err := e.ask(r, code, body)
		if a.Lost != (err != nil) || err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%+v; the connection: %v", a, err)
		}
		if !usable(r, a) || !a.Lost && a.Code != code {
			t.Errorf("the caller cannot use the answer: %+v", a)
		}
	})
}

// FuzzStream lets a server send arbitrary bytes from the first byte on. A request that was sent
// after the handshake is answered once.
func FuzzStream(f *testing.F) {
	shake := connected(7, time.Hour)
	f.Add([]byte(nil))
	f.Add(shake)
	f.Add(slices.Concat(shake, changed("/a")))
	f.Add(slices.Concat(shake, reply(xidEvent, 0, ints(nil, 3, 3, 0x7fffffff))))
	f.Add(slices.Concat(shake, reply(xidAuth, 0, nil)))
	f.Add(slices.Concat(shake, reply(1, 0, data("x"))))
	f.Add(slices.Concat(shake, reply(firstOwn, 0, data("x"))))
	f.Add(slices.Concat(shake, reply(firstOwn, -101, nil)))
	f.Add(slices.Concat(shake, reply(firstOwn-1, 0, data("x"))))
	f.Add(slices.Concat(shake, reply(firstOwn, 0, data("x")), reply(firstOwn, 0, data("x"))))
	f.Add(slices.Concat(shake, framed([]byte("abcd"))))
	f.Add(slices.Concat(shake, []byte{0x7f, 0xff, 0xff, 0xff}))
	f.Add(connected(0, 0))
	f.Add(connected(7, 0))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x46"))
	p := newPeer(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p.dials <- func(far net.Conn) {
			readFrame(far)
			go io.Copy(io.Discard, far)
			far.Write(raw)
		}
		select {
		case <-p.ended: // at the latest because the server hung up
		case <-time.After(hang):
			t.Fatal("the connection did not end")
		}
		p.owed.Wait()
	})
}
