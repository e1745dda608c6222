package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
)

func TestAHandshakeIsReportedWithItsGrant(t *testing.T) {
	e := pair(t)
	e.shake()
	if len(e.shakes) != 1 || e.shakes[0].SessionID != 7 || e.shakes[0].Timeout != 6*time.Second {
		t.Fatalf("handshakes = %+v", e.shakes)
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
		t.Fatal("zk has not received its connect response")
	}
	// The replies are not for zk, which sent no request.
	e.request(ping())
	ok := reply(xidAuth, 0, nil)
	f, err := e.answer(bytes.Join([][]byte{ok, ok, pong()}, nil))
	if err != nil || !bytes.Equal(f, pong()) {
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

func TestReadsThatSomebodyWaitsOnLeaveAWatch(t *testing.T) {
	e := pair(t)
	e.shake()
	e.watching["/w"], e.awaited["/n"] = true, true
	for _, c := range []struct {
		op   int32
		path string
		want byte
	}{
		{OpGetData, "/w", 1}, {OpGetData, "/x", 0}, {OpGetChildren2, "/w", 1}, {OpExists, "/w", 0}, {OpExists, "/n", 1}, {OpGetData, "/n", 0},
	} {
		got, _ := e.send(one(Op{Kind: c.op, Path: c.path}))
		if got[len(got)-1] != c.want {
			t.Errorf("operation %d on %s went out with watch %d, want %d", c.op, c.path, got[len(got)-1], c.want)
		}
	}
	// No other request has a flag.
	for _, r := range []*Request{one(Op{Kind: OpSync, Path: "/w"}), multi(Op{Kind: OpCheck, Path: "/w"})} {
		want := r.frame()
		if got, _ := e.send(r); !bytes.Equal(got[lengthSize+4:], want[lengthSize+4:]) {
			t.Errorf("%q went out as %q", want, got)
		}
	}
}

func TestEveryAnswerIsReportedWithItsInstant(t *testing.T) {
	e := pair(t)
	e.shake()
	before := clock.System.Now()
	for _, r := range []struct {
		*Request
		code int32
		body []byte
	}{
		{multi(Op{Kind: OpCheck, Path: "/a"}), 0, results(part{OpCheck, nil})},
		{multi(Op{Kind: OpCheck, Path: "/a"}), -112, nil}, // a refusal is an answer
		{read("/a"), 0, data("x")},
	} {
		if _, err := e.ask(r.Request, r.code, r.body); err != nil {
			t.Fatal(err)
		}
		if len(e.answered) != 2 { // the others are answers to pings
			t.Errorf("%d answers", len(e.answered))
		}
		for _, at := range e.answered {
			if !before.Reached(at) || !at.Reached(clock.System.Now()) {
				t.Errorf("an answer at %v, want it since %v", at, before)
			}
			before = at
		}
		e.answered = e.answered[:0]
	}
}

func TestEventsAreTold(t *testing.T) {
	e := pair(t)
	e.shake()
	want := []string{"/a", "/", "/b/c", "/" + strings.Repeat("x", 1<<20)}
	var raw []byte
	for _, path := range want {
		raw = append(raw, changed(path)...)
	}
	if err := e.past(raw); err != nil || !slices.Equal(e.events, want) {
		t.Errorf("%d events, %v", len(e.events), err)
	}
}

func TestTheMemoryOfALongFrameIsNotKept(t *testing.T) {
	e := pair(t)
	e.shake()
	long := strings.Repeat("x", 1<<20)
	if a, err := e.ask(read("/a"), 0, data(long)); err != nil || string(a.Results[0].Data) != long {
		t.Fatalf("%+v, %v", a, err)
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
			c := New(near, begin.Add(time.Second), 0, clock.System, Credentials{}, Hooks{Failed: func(err error) { failed = err }})
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

// zk's deadline for its next frame has passed long before that frame comes. A server that sends
// something is not silent.
func TestNoDeadlineOfZKsEndsAConnectionThatWorks(t *testing.T) {
	for name, answers := range map[string][]string{
		"a long answer on a slow link": {strings.Repeat("x", 10_000)},
		"many answers":                 slices.Repeat([]string{"x"}, 100),
	} {
		synctest.Test(t, func(t *testing.T) {
			e := pair(t)
			e.server.SetDeadline(time.Time{})
			e.shake()
			e.request(ping())
			var frame []byte
			for _, text := range answers {
				f, _ := e.send(read("/a"))
				frame = append(frame, reply(number(f), 0, data(text))...)
			}
			frame = append(frame, pong()...)
			var server sync.WaitGroup
			defer server.Wait()
			server.Go(func() {
				for len(frame) > 0 {
					time.Sleep(time.Second)
					if quiet, owing := e.conn.Silence(clock.System.Now()); quiet > time.Second || !owing {
						t.Errorf("%s: silent for %v, %v", name, quiet, owing)
					}
					n := min(len(frame), 100)
					e.server.Write(frame[:n])
					frame = frame[n:]
				}
			})
			e.conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // zk's
			e.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			begin := time.Now()
			if _, err := readFrame(e.conn); err != nil {
				t.Errorf("%s: after %v: %v", name, time.Since(begin), err)
			}
		})
	}
}

func TestSilenceIsCountedFromTheLastAnswerAndEventsAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pair(t)
		e.shake()
		await.Sleep(time.Second)
		if _, owing := e.conn.Silence(clock.System.Now()); owing {
			t.Error("no request was sent, but an answer is owed")
		}
		frame, _ := e.send(read("/a"))
		await.Sleep(time.Second)
		e.request(ping())
		read := make(chan error, 1)
		go func() { _, err := readFrame(e.conn); read <- err }()
		e.server.Write(changed("/a"))
		synctest.Wait()
		if quiet, owing := e.conn.Silence(clock.System.Now()); !owing || quiet != 2*time.Second {
			t.Errorf("silent for %v, owing %v; want 2s and true", quiet, owing)
		}
		e.server.Write(append(reply(number(frame), 0, data("x")), pong()...))
		if err := <-read; err != nil || len(e.events) != 1 {
			t.Fatalf("%v; %d events", err, len(e.events))
		}
		if quiet, owing := e.conn.Silence(clock.System.Now()); owing || quiet != 0 {
			t.Errorf("silent for %v, owing %v after the answer", quiet, owing)
		}
	})
}

func TestWhatIsNotOneFrameIsNotWritten(t *testing.T) {
	for _, p := range [][]byte{{0, 0}, ping()[:10], append(ping(), 0)} {
		e := pair(t)
		e.shake()
		e.conn.Write(p)
		if n, err := e.server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%q: the server got %d bytes, %v; want the end", p, n, err)
		}
	}
}
