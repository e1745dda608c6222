package wire

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"
)

// FuzzOwn lets a server send anything in place of the reply to a request of our own. The request is
// answered, or the connection ends.
func FuzzOwn(f *testing.F) {
	answer := func(xid int32) []byte { return reply(xid, 0, nil)[lengthSize:] }
	f.Add(answer(firstOwn))
	f.Add(answer(firstOwn - 1))
	f.Add(reply(firstOwn, -101, nil)[lengthSize:])
	f.Add(answer(1))
	f.Add(reply(xidEvent, 0, str(ints(nil, 3, 3), "/a"))[lengthSize:])
	f.Add([]byte("abcd"))
	p := newPeer(f)
	frames := make(chan []byte, 1)
	shaken := make(chan struct{})
	serve := func(far net.Conn) {
		readFrame(far)
		far.Write(connected(7, time.Hour))
		close(shaken)
		for {
			frame, err := readFrame(far)
			if err != nil {
				return
			}
			if int32(binary.BigEndian.Uint32(frame[8:])) == OpSetWatches {
				far.Write(framed(<-frames))
				return // whatever it was
			}
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 1<<16 {
			t.Skip()
		}
		shaken = make(chan struct{})
		p.dials <- serve
		<-shaken
		frames <- frame
		var err error
		for err = net.ErrClosed; errors.Is(err, net.ErrClosed) && len(frames) > 0; { // until the Conn has read the handshake
			_, err = p.last.Load().Request(OpSetWatches, nil, nil)
		}
		select {
		case <-p.ended:
		case <-time.After(hang):
			t.Fatalf("the connection did not end; the request: %v", err)
		}
	})
}
