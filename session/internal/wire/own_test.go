package wire

import (
	"errors"
	"net"
	"testing"
)

func TestAnOwnRequestIsAnsweredPastZk(t *testing.T) {
	e := pair(t)
	e.shake()
	type result struct {
		code int32
		err  error
	}
	answers := make(chan result, 1)
	ask := func() {
		code, err := e.conn.Request(OpSetWatches, []byte("body"))
		answers <- result{code, err}
	}
	for _, code := range []int32{0, -5} {
		go ask()
		f := e.take()
		xid, op, err := parseRequest(f)
		if err != nil || xid > firstOwn || op != OpSetWatches || string(f[12:]) != "body" {
			t.Fatalf("%q", f)
		}
		// zk, too, asks something; it reads its own reply alone.
		e.request(getData(1, "/a"))
		r, err := e.answer(append(reply(xid, code, nil), reply(1, 0, data("x"))...))
		if err != nil || r[7] != 1 {
			t.Errorf("zk read %q, %v", r, err)
		}
		if got := <-answers; got.code != code || got.err != nil {
			t.Errorf("%+v, want %d", got, code)
		}
	}
	go ask()
	e.take()
	e.conn.Close()
	if got := <-answers; !errors.Is(got.err, net.ErrClosed) {
		t.Errorf("%+v at the end of the connection", got)
	}
	if _, err := e.conn.Request(OpSetWatches, nil); err == nil {
		t.Error("no error on a closed connection")
	}
}

func TestOnlyRepliesToZkCountAsSeen(t *testing.T) {
	e := pair(t)
	e.shake()
	e.request(getData(1, "/a"))
	r := reply(1, 0, data("x"))
	r[15] = 9 // the zxid
	if _, err := e.answer(r); err != nil || e.conn.Zxid() != 9 {
		t.Errorf("%d, %v", e.conn.Zxid(), err)
	}
}
