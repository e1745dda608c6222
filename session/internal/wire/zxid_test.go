package wire

import (
	"encoding/binary"
	"testing"
	"time"
)

// A server that does not have this transaction yet does not accept the session.
func TestTheConnectRequestNamesTheLatestTransaction(t *testing.T) {
	zxid := int64(0)
	for i, c := range []struct {
		answer int64
		code   int32
		want   int64
	}{{0, 0, 0}, {1 << 40, 0, 1 << 40}, {5, 0, 1 << 40}, {1<<40 + 1, -101, 1<<40 + 1}} {
		e := pairSince(t, zxid)
		asked := make([]byte, 44)
		if got := e.request(framed(asked)); int64(binary.BigEndian.Uint64(got[lastZxidSeen:])) != zxid {
			t.Errorf("connection %d began with %q, want %d", i, got, zxid)
		}
		if _, err := e.answer(connected(7, time.Second)); err != nil {
			t.Fatal(err)
		}
		if e.conn.Zxid() != zxid {
			t.Errorf("connection %d: %d before an answer, want %d", i, e.conn.Zxid(), zxid)
		}
		frame, answer := e.send(read("/a"))
		r := reply(number(frame), c.code, data("x"))
		binary.BigEndian.PutUint64(r[lengthSize+4:], uint64(c.answer))
		if err := e.past(r); err != nil || (<-answer).Lost {
			t.Fatal(err)
		}
		if zxid = e.conn.Zxid(); zxid != c.want {
			t.Errorf("connection %d: %d after the answer, want %d", i, zxid, c.want)
		}
		e.conn.Close()
	}
}

func TestZKsBytesAreNotChanged(t *testing.T) {
	e := pairSince(t, 99)
	p := framed(make([]byte, 44))
	e.request(p)
	for _, b := range p[lengthSize:] {
		if b != 0 {
			t.Fatalf("%q", p)
		}
	}
}
