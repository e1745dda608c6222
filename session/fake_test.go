package session_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A fake is a server that grants the session ids in a list, one for each connection. It answers
// every request with success and no body, or a multi with no result. Real servers do not do that.
type fake struct {
	grants chan int64 // ids to grant
	asked  chan int64 // ids that were asked for
	cut    chan struct{}
	wg     sync.WaitGroup
}

func newFake() *fake {
	return &fake{grants: make(chan int64, 10), asked: make(chan int64, 10), cut: make(chan struct{})}
}

func (f *fake) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	f.wg.Go(func() {
		defer far.Close()
		f.serve(far)
	})
	return near, nil
}

func (f *fake) serve(c net.Conn) {
	frame, err := frameOf(c)
	if err != nil {
		return
	}
	f.asked <- int64(binary.BigEndian.Uint64(frame[16:]))
	body := make([]byte, 37)
	binary.BigEndian.PutUint32(body[4:], 1000)
	binary.BigEndian.PutUint64(body[8:], uint64(<-f.grants))
	binary.BigEndian.PutUint32(body[16:], 16)
	c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	over := make(chan struct{})
	f.wg.Go(func() {
		select {
		case <-f.cut:
			c.Close()
		case <-over:
		}
	})
	defer close(over)
	for {
		frame, err := frameOf(c)
		if err != nil {
			return
		}
		var body []byte
		if zktest.Op(binary.BigEndian.Uint32(frame[4:])) == zktest.OpMulti {
			body = []byte{0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff} // the end of the results
		}
		reply := binary.BigEndian.AppendUint32(nil, uint32(16+len(body)))
		reply = append(append(append(reply, frame[:4]...), make([]byte, 12)...), body...)
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

func frameOf(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func TestASessionThatAServerReplacesIsOver(t *testing.T) {
	f := newFake()
	f.grants <- 7
	client := open(t, "fake", session.Config{Timeout: time.Second, Dial: f.dial})
	s := established(t, client)
	if id := <-f.asked; id != 0 {
		t.Errorf("the first connection asks for session %d", id)
	}
	f.grants <- 8
	f.cut <- struct{}{}
	if err := over(t, s); !errors.Is(err, session.ErrReplaced) {
		t.Errorf("the session ended with %v", err)
	}
	if id := <-f.asked; id != 7 {
		t.Errorf("the second connection asks for session %d, want 7", id)
	}
	f.grants <- 9
	if next := established(t, client); next.ID() != 9 {
		t.Errorf("next session %d, want 9", next.ID())
	}
	if id := <-f.asked; id != 0 {
		t.Errorf("the third connection asks for session %d, want a new one", id)
	}
	client.Close()
	f.wg.Wait()
}

// The caller uses the results by their index.
func TestAMultiWithoutAResultForEachOperationHasFailed(t *testing.T) {
	f := newFake()
	f.grants <- 7
	client := open(t, "fake", session.Config{Timeout: time.Second, Dial: f.dial})
	_, err := established(t, client).Multi(t.Context(), &zk.DeleteRequest{Path: "/a", Version: -1})
	if err == nil || session.OutcomeOf(err) != session.OutcomeUnknown {
		t.Errorf("%v; want an error that says that the outcome is unknown", err)
	}
	close(f.grants) // for the next connection
	client.Close()
	f.wg.Wait()
}
