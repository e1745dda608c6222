package wire

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A kept keeps the function that Send starts in a goroutine.
type kept []func()

func (k *kept) start(f func()) { *k = append(*k, f) }

func TestARequestIsAnsweredPastZK(t *testing.T) {
	e := pair(t)
	e.shake()
	for i, code := range []int32{0, -5} {
		frame, answer := e.send(one(Op{Kind: OpSetWatches, Body: []byte("body")}))
		if number(frame) != firstOwn-int32(i) || kind(frame) != OpSetWatches || string(frame[lengthSize+8:]) != "body" {
			t.Fatalf("%q", frame)
		}
		// zk sends a request, too. It reads only its own reply.
		e.request(ping())
		got, err := e.answer(append(reply(number(frame), code, nil), pong()...))
		if err != nil || number(got) != xidPing {
			t.Fatalf("zk read %q, %v", got, err)
		}
		if a := <-answer; a.Lost || a.Code != code {
			t.Errorf("%+v, want %d", a, code)
		}
	}
}

func TestTheNumbersOfRequestsStayBelowZooKeepers(t *testing.T) {
	e := pair(t)
	e.shake()
	e.conn.lastOwn = -1 << 31
	if frame, _ := e.send(read("/a")); number(frame) != firstOwn {
		t.Errorf("after the lowest number comes %d", number(frame))
	}
}

func TestThereIsNothingToSendOnBeforeTheHandshakeAndAfterTheEnd(t *testing.T) {
	e := pair(t)
	when := "before the handshake"
	refused := func() {
		e.conn.writing.Lock() // if there were something to send, it would wait
		defer e.conn.writing.Unlock()
		unexpected := func() { t.Errorf("%s: something was done", when) }
		r := &Request{Ops: read("/a").Ops, Sending: unexpected, Sent: unexpected, Answered: func(Answer) { unexpected() }}
		if e.conn.Send(r, func(func()) { unexpected() }) {
			t.Errorf("%s: a request was sent", when)
		}
	}
	refused()
	shaken := e.conn.hooks.Handshaken
	e.conn.hooks.Handshaken = func(h Handshake) error {
		when = "before zk hears of the handshake"
		refused()
		return shaken(h)
	}
	e.shake()
	if len(e.shakes) != 1 {
		t.Error("no handshake")
	}
	_, lost := e.send(read("/a"))
	again := e.conn.hooks.Failed
	e.conn.hooks.Failed = func(err error) {
		when = "when the end is reported"
		refused()
		again(err)
	}
	e.conn.Close()
	<-lost
	when = "after the end"
	refused()
	if n, err := e.server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the server got %d bytes, %v", n, err)
	}
}

func TestSentIsCalledOnceTheFrameIsWrittenAndMaySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pair(t)
		e.shake()
		first, second := read("/a"), read("/b")
		e.once(first)
		e.once(second)
		var waiting kept
		sent := false
		first.Sent = func() {
			sent = true
			e.conn.Send(second, waiting.start)
		}
		go e.conn.Send(first, waiting.start)
		synctest.Wait() // the server does not read
		if sent {
			t.Error("Sent was called before the frame was sent")
		}
		a := e.take()
		synctest.Wait() // nor the second
		if !sent {
			t.Error("Sent was not called")
		}
		if len(waiting) > 0 {
			t.Fatal("the first is still being sent")
		}
		if b := e.take(); number(a) != firstOwn || number(b) != firstOwn-1 {
			t.Errorf("%q before %q", a, b)
		}
	})
}

// Nothing is sent between the call of WantsWatch for a read and the frame of the read. If an
// addWatch were sent there, the read would turn off its watch.
func TestNothingOvertakesAReadThatLeavesAWatch(t *testing.T) {
	e := pair(t)
	e.shake()
	add := one(Op{Kind: OpAddWatch})
	e.once(add)
	var waiting kept
	e.conn.hooks.WantsWatch = func(string, int32) bool {
		e.conn.Send(add, waiting.start)
		return true
	}
	first := read("/a")
	e.once(first)
	go e.conn.Send(first, func(f func()) { go f() })
	if frame := e.take(); kind(frame) != OpGetData || frame[len(frame)-1] != 1 {
		t.Errorf("sent first: %q", frame)
	}
	for _, f := range waiting {
		go f()
	}
	if frame := e.take(); kind(frame) != OpAddWatch {
		t.Errorf("sent second: %q", frame)
	}
}

// Sending of a request notes that it leaves a watch. Until its frame has been sent, WantsWatch is
// not called for a read: its result would rely on that watch, which the server does not have yet.
func TestNoReadIsAskedAboutWhileARequestIsBeingSent(t *testing.T) {
	e := pair(t)
	e.shake()
	stands := false
	e.conn.hooks.WantsWatch = func(string, int32) bool {
		if !stands {
			t.Error("WantsWatch was called too early")
		}
		return true
	}
	add, next := one(Op{Kind: OpAddWatch}), read("/a")
	e.once(add)
	e.once(next)
	var waiting kept
	add.Sending = func() {
		e.conn.Send(next, waiting.start)
		stands = true
	}
	go e.conn.Send(add, func(f func()) { go f() })
	if frame := e.take(); kind(frame) != OpAddWatch {
		t.Errorf("sent first: %q", frame)
	}
	for _, f := range waiting {
		go f()
	}
	if frame := e.take(); kind(frame) != OpGetData {
		t.Errorf("sent second: %q", frame)
	}
}

func TestSendDoesNotWaitForAnotherWrite(t *testing.T) {
	e := pair(t)
	e.shake()
	zks := make(chan struct{})
	go func() { e.conn.Write(ping()); close(zks) }()
	begin := make([]byte, 1)
	if _, err := io.ReadFull(e.server, begin); err != nil { // and no more
		t.Fatal(err)
	}
	r := read("/a")
	answer := e.once(r)
	var waiting kept
	returned := make(chan bool, 1)
	go func() { returned <- e.conn.Send(r, waiting.start) }()
	select {
	case ok := <-returned:
		if !ok || len(waiting) != 1 {
			t.Fatalf("%v; %d goroutines", ok, len(waiting))
		}
	case <-time.After(hang):
		t.Fatal("Send waits")
	}
	e.watching["/a"] = true // in time
	go waiting[0]()
	if _, err := io.ReadFull(e.server, make([]byte, len(ping())-1)); err != nil {
		t.Fatal(err)
	}
	<-zks
	frame := e.take()
	if frame[len(frame)-1] != 1 {
		t.Error("the watch was decided on before the read was sent")
	}
	if err := e.past(reply(number(frame), 0, data("x"))); err != nil {
		t.Fatal(err)
	}
	if a := <-answer; a.Lost {
		t.Errorf("%+v", a)
	}
}

// The requests of a session are sent in order. What the session concludes from answers depends on
// that.
func TestRequestsAreSentInTheirOrder(t *testing.T) {
	e := pair(t)
	e.shake()
	frames := make(chan []byte, 6)
	go func() {
		defer close(frames)
		for range 6 {
			frame, _ := readFrame(e.server)
			frames <- frame
		}
	}()
	var waiting kept
	e.conn.writing.Lock()
	for i := range 6 {
		r := read("/a")
		e.once(r)
		e.conn.Send(r, waiting.start)
		if i == 0 {
			e.conn.writing.Unlock() // but the goroutine for the queue does not run yet
		}
	}
	for _, f := range waiting {
		go f()
	}
	i := int32(0)
	for frame := range frames {
		if number(frame) != firstOwn-i {
			t.Errorf("frame %d is request %d", i, firstOwn-number(frame))
		}
		i++
	}
}

// If too many bytes are unanswered, the socket may have no room for more.
func TestSendDoesNotWaitForRoom(t *testing.T) {
	e := pair(t)
	e.shake()
	sized := func(size int) *Request {
		size -= len(read("").frame())
		r := read(strings.Repeat("a", size))
		e.once(r)
		return r
	}
	// sent says whether Send sent the request itself.
	sent := func(r *Request) (frame []byte, itself bool) {
		itself = true
		var writing sync.WaitGroup
		writing.Go(func() {
			e.conn.Send(r, func(f func()) {
				itself = false
				writing.Go(f)
			})
		})
		frame = e.take()
		writing.Wait()
		return frame, itself
	}
	e.request(ping())
	first, itself := sent(sized(maxUnanswered - 100 - len(ping())))
	if !itself {
		t.Error("there was room for the first request")
	}
	if _, itself := sent(sized(100)); !itself {
		t.Error("there was room for the second request")
	}
	if _, itself := sent(sized(50)); itself {
		t.Error("Send may have waited")
	}
	if err := e.past(reply(number(first), 0, data("x"))); err != nil {
		t.Fatal(err)
	}
	if _, itself := sent(sized(100)); !itself {
		t.Error("an answered request still takes room")
	}
	if _, itself := sent(sized(maxUnanswered)); itself {
		t.Error("Send may have waited with a long request")
	}
}

// If the server has sent events before an answer, the hook gets them before the caller gets the
// answer.
func TestEventsAreToldBeforeTheAnswerThatFollowsThem(t *testing.T) {
	e := pair(t)
	e.shake()
	r := read("/a")
	frame, answer := e.send(r)
	took := r.Answered
	r.Answered = func(a Answer) {
		if !slices.Equal(e.events, []string{"/a"}) {
			t.Errorf("events before the answer: %q", e.events)
		}
		took(a)
	}
	if err := e.past(slices.Concat(changed("/a"), reply(number(frame), 0, data("x")), changed("/b"))); err != nil {
		t.Fatal(err)
	}
	<-answer
}
