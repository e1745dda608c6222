package wire

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
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
		code, err := e.conn.Request(OpSetWatches, []byte("body"), nil)
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
			t.Fatalf("zk read %q, %v", r, err)
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
	if _, err := e.conn.Request(OpSetWatches, nil, nil); err == nil {
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

// FuzzOwnBody answers an own request with anything. What the Conn accepts it takes, and nothing of it is
// for zk.
func FuzzOwnBody(f *testing.F) {
	f.Add(uint8(0), int32(0), []byte(nil))
	f.Add(uint8(1), int32(-121), []byte(nil))
	f.Add(uint8(2), int32(0), ints(nil, 0))
	f.Add(uint8(2), int32(-6), []byte(nil))
	f.Add(uint8(2), int32(0), []byte("abc"))
	ops := []int32{OpSetWatches, OpRemoveWatches, OpAddWatch}
	f.Fuzz(func(t *testing.T, kind uint8, code int32, body []byte) {
		if len(body) > 1<<16 {
			t.Skip()
		}
		e := pair(t)
		e.shake()
		type result struct {
			code int32
			err  error
		}
		answer := make(chan result, 1)
		go func() {
			code, err := e.conn.Request(ops[int(kind)%len(ops)], nil, nil)
			answer <- result{code, err}
		}()
		xid, _, err := parseRequest(e.take())
		if err != nil {
			t.Fatal(err)
		}
		go e.server.Write(slices.Concat(reply(xid, code, body), reply(xidEvent, 0, str(ints(nil, 3, 3), "/a"))))
		next, failed := readFrame(e.conn)
		got := <-answer
		switch {
		case failed != nil && (!errors.Is(failed, ErrProtocol) || got.err == nil):
			t.Errorf("%v, %+v", failed, got)
		case failed == nil && (got.err != nil || got.code != code || int32(binary.BigEndian.Uint32(next[4:])) != xidEvent):
			t.Errorf("%+v; zk read %q", got, next)
		}
	})
}
