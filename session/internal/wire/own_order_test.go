package wire

import (
	"testing"
	"time"
)

// Between the question whether a read leaves a watch and its frame, no own request is sent: an
// addWatch there would be turned off by the read.
func TestNoOwnRequestOvertakesAReadThatLeavesAWatch(t *testing.T) {
	e := pair(t)
	e.shake()
	first, second := make(chan []byte, 1), make(chan []byte, 1)
	go func() {
		for _, c := range []chan []byte{first, second} {
			f, _ := readFrame(e.server)
			c <- f
		}
	}()
	overtaken := make(chan bool, 1)
	e.conn.hooks.WantsWatch = func(string, int32) bool {
		go e.conn.Request(OpAddWatch, nil, nil)
		select {
		case <-first:
			overtaken <- true
		case <-time.After(time.Second / 2): // it waits
			overtaken <- false
		}
		return true
	}
	go e.conn.Write(getData(1, "/a"))
	if <-overtaken {
		t.Error("the own request was sent before")
	}
	<-second // both have been sent
}

// No read is asked about between what is done right before an own request and its frame: it would be
// told of a watch that does not stand yet.
func TestNoReadIsAskedAboutWhileAnOwnRequestIsBeingSent(t *testing.T) {
	e := pair(t)
	e.shake()
	asked := make(chan bool, 1)
	e.conn.hooks.WantsWatch = func(string, int32) bool { asked <- true; return false }
	early := make(chan bool, 1)
	go e.conn.Request(OpAddWatch, nil, func() {
		go e.conn.Write(getData(1, "/a"))
		select {
		case <-asked:
			early <- true
		case <-time.After(time.Second / 2): // it waits
			early <- false
		}
	})
	_, op, err := parseRequest(e.take())
	if err != nil || op != OpAddWatch || <-early {
		t.Errorf("sent first: %d, %v", op, err)
	}
	e.take()
}
