package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

func TestAHandshakeIsReportedWithItsGrant(t *testing.T) {
	e := pair(t)
	e.shake()
	if len(e.shakes) != 1 || e.shakes[0].SessionID != 7 || e.shakes[0].Timeout != 6*time.Second {
		t.Fatalf("handshakes = %+v", e.shakes)
	}
	if len(e.limits) != 1 || e.limits[0] != receiveBuffer {
		t.Errorf("limits %v before the receive loop, want %d", e.limits, receiveBuffer)
	}
}

func TestCredentialsFollowEachHandshakeBeforeAnythingElse(t *testing.T) {
	e := pair(t, Auth{"digest", []byte("u:p")}, Auth{"ip", nil})
	e.request(framed(make([]byte, 44)))
	got := make(chan []byte, 1)
	go func() { f, _ := readFrame(e.conn); got <- f }()
	e.server.Write(connected(7, time.Second))
	want := framed(str(str(ints(nil, xidAuth, opAuth, 0), "digest"), "u:p"))
	if f := e.take(); !bytes.Equal(f, want) {
		t.Errorf("first frame %q, want %q", f, want)
	}
	e.take()
	if f := <-got; len(f) == 0 {
		t.Fatal("zk has not got its connect response")
	}
	// The replies are not for zk, which did not ask.
	e.request(getData(1, "/a"))
	ok := reply(xidAuth, 0, nil)
	f, err := e.answer(bytes.Join([][]byte{ok, ok, reply(1, 0, data("x"))}, nil))
	if err != nil || f[7] != 1 {
		t.Errorf("zk read %q, %v", f, err)
	}
}

func TestARejectedCredentialIsReported(t *testing.T) {
	e := pair(t, Auth{"digest", []byte("u:hidden")}, Auth{"digset", []byte("u:hidden")})
	e.request(framed(make([]byte, 44)))
	go func() { readFrame(e.server); readFrame(e.server) }() // the credentials
	if _, err := e.answer(connected(7, time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := e.answer(append(reply(xidAuth, 0, nil), reply(xidAuth, -115, nil)...))
	if !errors.Is(err, ErrAuthFailed) || len(e.failures) != 1 || !errors.Is(e.failures[0], ErrAuthFailed) {
		t.Errorf("err = %v, failures = %v", err, e.failures)
	} else if text := err.Error(); !strings.Contains(text, `Config.Auth[1] with the scheme "digset"`) || strings.Contains(text, "hidden") {
		t.Errorf("err = %v; want it to name the credential", err)
	}
}

func TestWhoWaitsIsToldOfMultisThatAreSent(t *testing.T) {
	e := pair(t)
	e.shake()
	for i, op := range []int32{opMulti, opGetData, opCreate, opMulti} {
		e.request(framed(append(str(header(int32(i), op), "/a"), byte(i))))
	}
	if n := len(e.sent); n != 2 || e.sent[0][len(e.sent[0])-1] != 0 || e.sent[1][len(e.sent[1])-1] != 3 {
		t.Errorf("told of %q", e.sent)
	}
}

func TestReadsThatSomebodyWaitsOnLeaveAWatch(t *testing.T) {
	e := pair(t)
	e.shake()
	e.watching["/w"], e.awaited["/n"] = true, true
	for i, c := range []struct {
		op   int32
		path string
		want byte
	}{
		{opGetData, "/w", 1}, {opGetData, "/x", 0}, {OpGetChildren2, "/w", 1}, {OpExists, "/w", 0}, {OpExists, "/n", 1}, {opGetData, "/n", 0},
	} {
		frame := framed(append(str(header(int32(i), c.op), c.path), 0))
		kept := bytes.Clone(frame)
		if got := e.request(frame); got[len(got)-1] != c.want {
			t.Errorf("operation %d on %s went out with watch %d, want %d", c.op, c.path, got[len(got)-1], c.want)
		}
		if !bytes.Equal(frame, kept) {
			t.Error("the caller's buffer was written to")
		}
	}
}

func TestEveryAnswerIsReportedWithItsInstant(t *testing.T) {
	e := pair(t)
	e.shake()
	check := framed(append(header(1, opMulti), multi(part{opCheck, anyBody(opCheck)})...))
	before := clock.System.Now()
	for i, answer := range []struct {
		request, reply []byte
	}{
		{check, reply(1, 0, multi(part{opCheck, nil}))},
		{check, reply(1, -112, nil)}, // a refusal is an answer
		{getData(1, "/a"), reply(1, 0, data("x"))},
	} {
		e.request(answer.request)
		if _, err := e.answer(answer.reply); err != nil {
			t.Fatal(err)
		}
		if len(e.answered) != i+1 || !before.Reached(e.answered[i]) || !e.answered[i].Reached(clock.System.Now()) {
			t.Errorf("answers at %v, want %d since %v", e.answered, i+1, before)
		}
	}
}

func TestZKsReceiveBufferMayGrowOnceItsLoopRuns(t *testing.T) {
	e := pair(t)
	e.shake()
	e.request(getData(1, "/a"))
	long := strings.Repeat("x", 1<<20)
	f, err := e.answer(reply(1, 0, data(long)))
	if err != nil || !strings.Contains(string(f), long) {
		t.Fatalf("%d bytes, %v", len(f), err)
	}
	if len(e.limits) != 2 || e.limits[1] != 0 {
		t.Errorf("limits %v, want the second to be 0", e.limits)
	}
	if n := cap(e.conn.spare); n > spareSize {
		t.Errorf("%d bytes kept after a long frame, want %d", n, spareSize)
	}
}

func TestAnExpiredSessionsConnectionIsClosedButZKHearsOfIt(t *testing.T) {
	e := pair(t)
	e.request(framed(make([]byte, 44)))
	f, err := e.answer(connected(0, 0))
	if err != nil || len(f) == 0 {
		t.Fatalf("zk read %q, %v; want the response", f, err)
	}
	if _, err := e.server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the server's side reads %v, want the end", err)
	}
}

func TestTheHandshakesDeadlineIsNotZKs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, send := range map[string][]byte{
			"silent":              nil,
			"after its length":    connected(7, time.Second)[:4],
			"before its end":      connected(7, time.Second)[:30],
			"slow, byte for byte": connected(7, time.Second),
		} {
			near, far := net.Pipe()
			begin := time.Now()
			var failed error
			c := New(near, begin.Add(time.Second), clock.System, Credentials{}, Hooks{Failed: func(err error) { failed = err }})
			var server sync.WaitGroup
			server.Go(func() {
				readFrame(far)
				for _, b := range send {
					time.Sleep(100 * time.Millisecond)
					if _, err := far.Write([]byte{b}); err != nil {
						return
					}
				}
			})
			c.SetWriteDeadline(begin.Add(time.Hour)) // what zk does
			c.Write(framed(make([]byte, 44)))
			c.SetReadDeadline(begin.Add(time.Hour))
			_, err := readFrame(c)
			if !errors.Is(err, os.ErrDeadlineExceeded) || failed == nil {
				t.Errorf("%s: err = %v, reported %v; want a timeout", name, err, failed)
			}
			if d := time.Since(begin); d != time.Second {
				t.Errorf("%s: took %v, want 1s", name, d)
			}
			far.Close()
			server.Wait()
		}
	})
}

func TestALongAnswerOnASlowLinkIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pair(t)
		e.server.SetDeadline(time.Time{})
		e.shake()
		e.request(getData(1, "/a"))
		frame := reply(1, 0, data(strings.Repeat("x", 10_000)))
		go func() {
			for len(frame) > 0 {
				time.Sleep(time.Second)
				n := min(len(frame), 100)
				e.server.Write(frame[:n])
				frame = frame[n:]
			}
		}()
		e.conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // zk's, for the whole frame
		begin := time.Now()
		if _, err := readFrame(e.conn); err != nil {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestSilenceIsCountedFromTheLastAnswerAndEventsAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pair(t)
		e.shake()
		time.Sleep(time.Second)
		if _, owing := e.conn.Silence(clock.System.Now()); owing {
			t.Error("nothing was asked, and yet an answer is owed")
		}
		e.request(getData(1, "/a"))
		time.Sleep(time.Second)
		if _, err := e.answer(reply(xidEvent, 0, str(ints(nil, 3, 3), "/a"))); err != nil {
			t.Fatal(err)
		}
		if quiet, owing := e.conn.Silence(clock.System.Now()); !owing || quiet != 2*time.Second {
			t.Errorf("silent for %v, owing %v; want 2s and true", quiet, owing)
		}
		e.answer(reply(1, 0, data("x")))
		if quiet, owing := e.conn.Silence(clock.System.Now()); owing || quiet != 0 {
			t.Errorf("silent for %v, owing %v after the answer", quiet, owing)
		}
	})
}

func TestAFailureIsReportedOnceWithItsFirstReason(t *testing.T) {
	e := pair(t)
	e.shake()
	why := errors.New("moved")
	e.conn.CloseWith(why)
	e.conn.Close()
	if _, err := e.conn.Read(make([]byte, 4)); err == nil {
		t.Error("read from a closed connection")
	}
	// zk must not be told, see Write.
	if _, err := e.conn.Write(getData(1, "/a")); err != nil {
		t.Errorf("writing to a closed connection: %v", err)
	}
	if len(e.failures) != 1 || e.failures[0] != why {
		t.Errorf("failures = %v", e.failures)
	}
}

// Nobody has found the request too large when it is we who give up a server that is silent.
func TestWhatIsGivenUpIsNoMatterOfALargeRequest(t *testing.T) {
	e := pair(t)
	e.shake()
	e.request(getData(1, "/"+strings.Repeat("a", largeRequest)))
	why := errors.New("silent")
	e.conn.CloseWith(why)
	if len(e.failures) != 1 || e.failures[0] != why {
		t.Errorf("failures = %v", e.failures)
	}
}

func TestWhatIsNotOneFrameIsNotWritten(t *testing.T) {
	for _, p := range [][]byte{{0, 0}, getData(1, "/a")[:10], append(getData(1, "/a"), 0)} {
		e := pair(t)
		e.shake()
		e.conn.Write(p)
		if n, err := e.server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%q: the server got %d bytes, %v; want the end", p, n, err)
		}
	}
}
