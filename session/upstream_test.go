//go:build upstream

// Minimal reproductions of the faults that UPSTREAM.md lists. Each test fails as long as its fault
// exists:
//
//	go test -tags upstream -run Upstream -v ./session
package session_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

// crude is a minimal server. It answers the connect request with hello, and every other frame with
// what reply returns. If that is nil, it does not answer.
type crude struct {
	addr   string
	dialed atomic.Int32
	asked  chan int64 // session ids that were asked for
	hello  func(n int) []byte
	reply  func(xid, op int32) []byte
}

func startCrude(t testing.TB, hello func(n int) []byte, reply func(xid, op int32) []byte) *crude {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s := &crude{addr: l.Addr().String(), asked: make(chan int64, 1000), hello: hello, reply: reply}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *crude) serve(c net.Conn) {
	defer c.Close()
	n := int(s.dialed.Add(1))
	frame, err := frameOf(c)
	if err != nil {
		return
	}
	s.asked <- int64(binary.BigEndian.Uint64(frame[16:]))
	answer := s.hello(n)
	if answer == nil {
		return
	}
	c.Write(answer)
	for {
		frame, err := frameOf(c)
		if err != nil {
			return
		}
		answer := s.reply(int32(binary.BigEndian.Uint32(frame)), int32(binary.BigEndian.Uint32(frame[4:])))
		if answer != nil && len(answer) == 0 {
			return
		}
		c.Write(answer)
	}
}

func framed(p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...)
}

func grant(session int64, ms uint32) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 4), ms)
	p = binary.BigEndian.AppendUint64(p, uint64(session))
	return framed(append(binary.BigEndian.AppendUint32(p, 16), make([]byte, 17)...))
}

func replyOf(xid int32, code int32, body ...byte) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(xid))
	p = binary.BigEndian.AppendUint64(p, 0)
	return framed(append(binary.BigEndian.AppendUint32(p, uint32(code)), body...))
}

func always(answer []byte) func(int) []byte { return func(int) []byte { return answer } }

func plainly(t testing.TB, s *crude, T time.Duration) *zk.Conn {
	conn, _, err := zk.Connect([]string{s.addr}, T, zk.WithLogger(silence{}))
	must(t, err)
	t.Cleanup(func() { go conn.Close() })
	return conn
}

// survives runs the test once more in a process of its own, where do may crash.
func survives(t *testing.T, do func()) {
	if os.Getenv("ZK_CRASH") == t.Name() {
		do()
		os.Exit(0)
	}
	cmd := exec.CommandContext(within(t, 20*time.Second), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "ZK_CRASH="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the process died: %v: %.120s", err, out)
	}
}

func TestUpstreamAShortFrame(t *testing.T) {
	survives(t, func() {
		s := startCrude(t, always(grant(7, 4000)), func(int32, int32) []byte { return framed([]byte("\xff\xff\xff\xff")) }) // begins like an event
		plainly(t, s, 4*time.Second).Get("/a")
	})
}

func TestUpstreamAnAbsurdCount(t *testing.T) {
	survives(t, func() {
		s := startCrude(t, always(grant(7, 4000)), func(xid, _ int32) []byte { return replyOf(xid, 0, 0xff, 0xff, 0xff, 0xff) })
		plainly(t, s, 4*time.Second).Children("/a")
	})
}

func TestUpstreamATimeoutOfZero(t *testing.T) {
	survives(t, func() {
		s := startCrude(t, always(grant(7, 0)), func(int32, int32) []byte { return nil })
		plainly(t, s, 4*time.Second)
		time.Sleep(time.Second)
	})
}

func TestUpstreamAFlagBehindTheBuffer(t *testing.T) {
	survives(t, func() {
		s := startCrude(t, always(grant(7, 4000)), func(xid, _ int32) []byte { return replyOf(xid, -101) })
		conn, _, err := zk.Connect([]string{s.addr}, time.Second, zk.WithMaxConnBufferSize(4+8+4+2), zk.WithLogger(silence{}))
		must(t, err)
		conn.Get("/a") // its last byte, the watch flag, is one too many
	})
}

func TestUpstreamTheHandshakeHasNoUsefulDeadline(t *testing.T) {
	// Four bytes and no more: then not even the deadline of 6.7 T applies.
	s := startCrude(t, always([]byte{0, 0, 0, 37}), func(int32, int32) []byte { return nil })
	plainly(t, s, 100*time.Millisecond)
	time.Sleep(3 * time.Second)
	if s.dialed.Load() < 2 {
		t.Error("30 T later the first connection is still being made")
	}
}

func TestUpstreamUnansweredPingsAreNotSilence(t *testing.T) {
	const T = 300 * time.Millisecond
	s := startCrude(t, always(grant(7, 300)), func(int32, int32) []byte {
		return replyOf(-1, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, '/', 'a') // events, and no answer
	})
	conn := plainly(t, s, T)
	time.Sleep(10 * T)
	if conn.State() == zk.StateHasSession && s.dialed.Load() == 1 {
		t.Error("10 T without an answer to any ping, and the state is still HasSession")
	}
}

func TestUpstreamAQueuedRequestCrossesSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := make(chan struct{})
		s := &crude{asked: make(chan int64, 1000), hello: func(n int) []byte {
			switch n {
			case 1:
				return grant(7, 4000)
			case 2:
				<-up
				return grant(0, 0) // expired
			}
			return grant(8, 4000)
		}, reply: func(xid, op int32) []byte {
			if op == 3 {
				return []byte{} // close
			}
			return replyOf(xid, 0, 0, 0, 0, 2, '/', 'a')
		}}
		conn, _, err := zk.Connect([]string{"a:1", "b:1"}, 4*time.Second, zk.WithLogger(silence{}),
			zk.WithHostProvider(&twoHosts{hosts: []string{"a:1", "b:1"}}),
			zk.WithDialer(func(string, string, time.Duration) (net.Conn, error) {
				ours, theirs := net.Pipe()
				t.Cleanup(func() { theirs.Close() }) // zk leaves that of an expired session open
				go s.serve(theirs)
				return ours, nil
			}))
		must(t, err)
		defer conn.Close()
		conn.Exists("/") // and the connection is gone
		created := make(chan error, 1)
		go func() {
			_, err := conn.Create("/a", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
			created <- err
		}()
		synctest.Wait() // until it is queued
		close(up)
		if err := <-created; err == nil {
			t.Error("a create that was asked of session 7 was carried out in session 8")
		}
	})
}

func TestUpstreamAServerThatClosesIsDialledInAHotLoop(t *testing.T) {
	s := startCrude(t, always(nil), nil)
	other := startCrude(t, always(nil), nil)
	conn, _, err := zk.Connect([]string{s.addr, other.addr}, time.Second, zk.WithLogger(silence{}),
		zk.WithHostProvider(&twoHosts{hosts: []string{s.addr, other.addr}}))
	must(t, err)
	defer func() { go conn.Close() }()
	time.Sleep(time.Second)
	if n := s.dialed.Load() + other.dialed.Load(); n > 100 {
		t.Errorf("%d connections in a second", n)
	}
}

// twoHosts alternates between two servers for ever, as zk's own provider does after it has been
// connected.
type twoHosts struct {
	hosts []string
	next  int
}

func (*twoHosts) Init([]string) error { return nil }
func (*twoHosts) Len() int            { return 2 }
func (*twoHosts) Connected()          {}
func (h *twoHosts) Next() (string, bool) {
	h.next++
	return h.hosts[h.next%2], false
}

func TestUpstreamACredentialWhoseReplyIsLostIsForgotten(t *testing.T) {
	var auths atomic.Int32
	s := startCrude(t, always(grant(7, 4000)), func(xid, op int32) []byte {
		if op == 100 {
			if auths.Add(1) == 1 {
				return []byte{} // taken in, and gone before the answer
			}
			return replyOf(xid, 0)
		}
		return replyOf(xid, -101)
	})
	conn := plainly(t, s, 4*time.Second)
	conn.AddAuth("digest", []byte("u:p"))
	conn.Exists("/") // on the next connection
	if auths.Load() == 1 {
		t.Error("the credential was not presented again")
	}
}

func TestUpstreamNamelessErrors(t *testing.T) {
	s := startCrude(t, always(grant(7, 4000)), func(xid, _ int32) []byte { return replyOf(xid, -125) })
	_, _, err := plainly(t, s, 4*time.Second).Get("/a")
	if fmt.Sprintf("%T", err) == "*errors.errorString" || fmt.Sprintf("%T", err) == "*fmt.wrapError" {
		t.Errorf("quota exceeded is %T %q", err, err)
	}
}

func TestUpstreamCloseGetsStuckWhenWritesFail(t *testing.T) {
	for range 1000 {
		var broken atomic.Bool
		s := startCrude(t, always(grant(7, 4000)), func(xid, _ int32) []byte { return replyOf(xid, -101) })
		conn, events, err := zk.Connect([]string{s.addr}, 4*time.Second, zk.WithLogger(silence{}),
			zk.WithDialer(func(network, address string, timeout time.Duration) (net.Conn, error) {
				c, err := net.DialTimeout(network, address, timeout)
				return breakable{c, &broken}, err
			}))
		must(t, err)
		conn.Exists("/")
		broken.Store(true)
		var calls sync.WaitGroup
		calls.Go(conn.Close)
		for range 4 {
			calls.Go(func() { conn.Exists("/") })
		}
		calls.Wait()
		stuck := time.After(5 * time.Second)
		for open := true; open; {
			select {
			case _, open = <-events:
			case <-stuck:
				t.Fatal("5 s after Close its loop has not ended")
			}
		}
	}
}

type silence struct{}

func (silence) Printf(string, ...any) {}
