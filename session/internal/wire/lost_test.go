package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAFailureIsReportedOnceWithItsFirstReason(t *testing.T) {
	e := pair(t)
	e.shake()
	why := errors.New("moved")
	e.conn.CloseWith(why)
	e.conn.Close()
	if _, err := e.conn.Read(make([]byte, 4)); err == nil {
		t.Error("read from a closed connection")
	}
	// Write returns no error to zk, see Conn.Write.
	if _, err := e.conn.Write(ping()); err != nil {
		t.Errorf("writing to a closed connection: %v", err)
	}
	if len(e.failures) != 1 || e.failures[0] != why {
		t.Errorf("failures = %v", e.failures)
	}
}

// If this side gives up a silent server, that does not mean that a request was too large.
func TestWhatIsGivenUpIsNoMatterOfALargeRequest(t *testing.T) {
	e := pair(t)
	e.shake()
	e.send(read("/" + strings.Repeat("a", largeRequest)))
	why := errors.New("silent")
	e.conn.CloseWith(why)
	if len(e.failures) != 1 || e.failures[0] != why {
		t.Errorf("failures = %v", e.failures)
	}
}

// If a request is too large for a server, the server closes the connection and gives no reason.
func TestTheEndAfterALargeRequestIsExplained(t *testing.T) {
	e := pair(t)
	e.shake()
	e.send(read("/" + strings.Repeat("a", largeRequest)))
	e.server.Close()
	_, err := readFrame(e.conn)
	if !errors.Is(err, io.EOF) || len(e.failures) != 1 || !strings.Contains(e.failures[0].Error(), "jute.maxbuffer") {
		t.Errorf("%v; failures = %v", err, e.failures)
	}
}

func TestEveryRequestIsLostWithItsConnection(t *testing.T) {
	for name, end := range map[string]func(*ends){
		"closed here":          func(e *ends) { e.conn.Close() },
		"closed by the server": func(e *ends) { e.server.Close(); readFrame(e.conn) },
		"answered badly":       func(e *ends) { e.answer(reply(firstOwn, 0, nil)) },
		"found broken by zk":   func(e *ends) { e.server.Close(); e.conn.Write(ping()) },
		"found broken by Send": func(e *ends) {
			e.server.Close()
			r := read("/c")
			r.Sent = func() { e.t.Error("what was not sent counts as sent") }
			answer := e.once(r)
			if !e.conn.Send(r, func(f func()) { f() }) {
				e.t.Error("the connection has ended without a report")
			}
			if len(answer) != 1 {
				e.t.Error("a request that could not be sent is not lost")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := pair(t)
			e.shake()
			_, a := e.send(read("/a"))
			_, b := e.send(about(opMulti))
			end(e)
			if len(e.failures) != 1 {
				t.Errorf("failures = %v", e.failures)
			}
			e.conn.Close()
			for _, answer := range []<-chan Answer{a, b} {
				if a := <-answer; !a.Lost || a.Results != nil {
					t.Errorf("%+v", a)
				}
			}
			if len(e.failures) != 1 {
				t.Errorf("failures = %v", e.failures)
			}
		})
	}
}

// A request that is being written when the connection ends is lost, too, and so is one in the
// queue.
func TestARequestThatIsBeingSentIsLostWithItsConnection(t *testing.T) {
	e := pair(t)
	e.shake()
	first, second := read("/a"), read("/b")
	first.Sent = func() { t.Error("what was not sent counts as sent") }
	second.Sent = first.Sent
	a, b := e.once(first), e.once(second)
	go e.conn.Send(first, func(f func()) { f() })
	if _, err := io.ReadFull(e.server, make([]byte, 1)); err != nil { // and no more
		t.Fatal(err)
	}
	ended := make(chan struct{})
	e.conn.Send(second, func(f func()) {
		go func() { f(); close(ended) }()
	})
	e.conn.Close()
	for _, answer := range []<-chan Answer{a, b} {
		if a := <-answer; !a.Lost {
			t.Errorf("%+v", a)
		}
	}
	<-ended
}

// Answered may send the next request, even if the connection has ended.
func TestAnAnswerMayBeFollowedByARequest(t *testing.T) {
	e := pair(t)
	e.shake()
	first, second, third := read("/a"), read("/b"), read("/c")
	third.Answered = func(Answer) { t.Error("sent on a connection that had ended") }
	second.Answered = func(a Answer) {
		if !a.Lost || e.conn.Send(third, func(f func()) { f() }) {
			t.Errorf("%+v", a)
		}
	}
	go e.conn.Send(first, func(f func()) { f() })
	first.Answered = func(Answer) { e.conn.Send(second, func(f func()) { f() }) }
	frame := e.take()
	go readFrame(e.conn)
	if _, err := e.server.Write(reply(number(frame), 0, data("x"))); err != nil {
		t.Fatal(err)
	}
	if next := e.take(); number(next) != firstOwn-1 {
		t.Errorf("sent next: %q", next)
	}
	e.conn.Close()
}
