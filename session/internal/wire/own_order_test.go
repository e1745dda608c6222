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
	e.conn.hooks.WantsWatch = func(string, bool) bool {
		go e.conn.Request(OpAddWatch, nil)
		select {
		case <-first:
			overtaken <- true
		case <-time.After(50 * time.Millisecond): // it waits
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
