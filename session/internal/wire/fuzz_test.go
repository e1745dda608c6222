package wire

import (
	"encoding/binary"
	"errors"
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

// A peer plays the server for a real zk.Conn on top of a Conn. Whatever the Conn lets
// through zk decodes in goroutines of its own, where a panic ends the process: that is
// what the fuzz targets below would see.
type peer struct {
	zk    *zk.Conn
	last  atomic.Pointer[Conn]
	dials chan func(net.Conn) // how to treat the next connection
	ended chan error          // why a connection ended
}

func newPeer(t testing.TB) *peer {
	p := &peer{dials: make(chan func(net.Conn)), ended: make(chan error, 1)}
	var servers sync.WaitGroup
	ready, stop := make(chan struct{}), make(chan struct{})
	dial := func(string, string, time.Duration) (net.Conn, error) {
		<-ready
		select {
		case serve := <-p.dials:
			near, far := net.Pipe()
			servers.Go(func() { serve(far); far.Close() })
			c := New(near, time.Now().Add(hang), clock.System, Credentials{}, Hooks{
				Handshaken: func(Handshake) error { return nil },
				Answered:   func(clock.Instant) {},
				Created:    func(string, bool) {},
				Missing:    func(string) {},
				WantsWatch: func(string, int32) bool { return false },
				Sent:       func([]byte) {},
				Failed:     func(err error) { p.ended <- err },
				Limit:      func(n int) { zk.WithMaxBufferSize(n)(p.zk) },
			})
			p.last.Store(c)
			return c, nil
		case <-stop:
			return nil, net.ErrClosed
		}
	}
	conn, events, err := zk.Connect([]string{"peer"}, time.Hour, zk.WithDialer(dial),
		zk.WithHostProvider(oneHost{stop}), zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	p.zk = conn
	close(ready)
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

// errUnusable is the error of a call whose answer would surprise its caller.
var errUnusable = errors.New("the caller cannot use that")

func usable(err error, good bool) error {
	if err == nil && !good {
		return errUnusable
	}
	return err
}

// requests are calls whose replies zk decodes.
var requests = []func(*zk.Conn) error{
	func(c *zk.Conn) error { _, stat, err := c.Get("/a"); return usable(err, stat != nil) },
	func(c *zk.Conn) error {
		names, stat, err := c.Children("/a")
		bad := slices.ContainsFunc(names, func(name string) bool { return name == "" || strings.Contains(name, "/") })
		return usable(err, stat != nil && !bad)
	},
	func(c *zk.Conn) error { _, stat, err := c.Exists("/a"); return usable(err, stat != nil) },
	func(c *zk.Conn) error { _, _, err := c.GetACL("/a"); return err },
	func(c *zk.Conn) error {
		path, err := c.Create("/a", nil, 0, zk.WorldACL(zk.PermAll))
		return usable(err, path == "/a")
	},
	func(c *zk.Conn) error { stat, err := c.Set("/a", nil, -1); return usable(err, stat != nil) },
	func(c *zk.Conn) error { _, err := c.Sync("/a"); return err },
	func(c *zk.Conn) error { return c.Delete("/a", -1) },
	func(c *zk.Conn) error {
		results, err := c.Multi(&zk.CheckVersionRequest{Path: "/a", Version: -1},
			&zk.CreateRequest{Path: "/b-", Flags: zk.FlagEphemeralSequential, Acl: zk.WorldACL(zk.PermAll)}, &zk.SetDataRequest{Path: "/a", Version: -1})
		return usable(err, len(results) == 3 && len(results[1].String) > len("/b-") && results[2].Stat != nil)
	},
}

// FuzzReply answers one request of each kind with any body. What the Conn accepts zk
// must be able to decode, without a panic and without an error, and its caller to use.
func FuzzReply(f *testing.F) {
	for i, body := range [][]byte{
		data("x"), append(str(str(ints(nil, 2), "a"), "b"), stat()...), stat(),
		append(str(str(ints(nil, 1, 31), "world"), "anyone"), stat()...),
		str(nil, "/a"), stat(), str(nil, "/a"), nil,
		multi(part{opCheck, nil}, part{opCreate, str(nil, "/b-0000000001")}, part{opSetData, stat()}),
	} {
		f.Add(byte(i), body)
	}
	f.Add(byte(1), ints(nil, 0x7fffffff))
	f.Add(byte(1), append(str(ints(nil, 1), "a/b"), stat()...))
	f.Add(byte(4), str(nil, "/x"))
	f.Add(byte(8), multi(refusal(0))[:9])
	f.Add(byte(8), multi(refusal(0), refusal(-101), refusal(-2)))
	f.Add(byte(8), multi(part{opCheck, nil}, part{opCreate, str(nil, "/b-0000000001")}, part{opCheck, nil}))
	f.Add(byte(8), multi(part{opCheck, nil}, part{opCreate, str(nil, "/x")}, part{opSetData, stat()}))
	p := newPeer(f)
	bodies := make(chan []byte, 1)
	serve := func(far net.Conn) {
		readFrame(far)
		far.Write(connected(7, time.Hour))
		for {
			frame, err := readFrame(far)
			if err != nil {
				return
			}
			if op := int32(binary.BigEndian.Uint32(frame[8:])); op == opPing || op == opClose {
				return
			}
			xid := int32(binary.BigEndian.Uint32(frame[4:]))
			if _, err := far.Write(reply(xid, 0, <-bodies)); err != nil {
				return
			}
		}
	}
	connect := func() { p.dials <- serve }
	connect()
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		if len(body) > 1<<16 {
			t.Skip()
		}
		bodies <- body
		err := requests[int(kind)%len(requests)](p.zk)
		if err == nil {
			return
		}
		if errors.Is(err, zk.ErrShortBuffer) || errors.Is(err, zk.ErrUnhandledFieldType) || err == errUnusable {
			t.Fatalf("what was let through is of no use: %v", err)
		}
		select {
		case why := <-p.ended: // refused by the Conn
			if !errors.Is(why, ErrProtocol) {
				t.Fatalf("the connection ended with %v", why)
			}
			connect()
		default:
			// An error inside a multi, as the body said.
		}
	})
}

// FuzzStream lets a server send anything from the first byte on.
func FuzzStream(f *testing.F) {
	shake := connected(7, time.Hour)
	f.Add([]byte(nil))
	f.Add(shake)
	f.Add(append(shake, reply(xidEvent, 0, str(ints(nil, 3, 3), "/a"))...))
	f.Add(append(shake, reply(xidEvent, 0, ints(nil, 3, 3, 0x7fffffff))...))
	f.Add(append(shake, reply(xidAuth, 0, nil)...))
	f.Add(append(shake, reply(1, 0, data("x"))...))
	f.Add(append(shake, framed([]byte("abcd"))...))
	f.Add(append(shake, 0x7f, 0xff, 0xff, 0xff))
	f.Add(connected(0, 0))
	f.Add(connected(7, 0))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x46"))
	p := newPeer(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p.dials <- func(far net.Conn) {
			readFrame(far)
			far.Write(raw)
		}
		select {
		case <-p.ended: // at the latest because the server hung up
		case <-time.After(hang):
			t.Fatal("the connection did not end")
		}
	})
}
