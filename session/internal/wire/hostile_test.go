package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestAStrangersFirstBytesAreRefusedAndNamed(t *testing.T) {
	for _, c := range []struct{ name, bytes, want string }{
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP"},
		{"a TLS alert", "\x15\x03\x03\x00\x02\x02\x46", "it speaks TLS"},
		{"a TLS hello", "\x16\x03\x01\x02\x00\x01", "it speaks TLS"},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", `"SSH-"`},
		{"an absurd length", "\x7f\xff\xff\xff", "began with"},
		{"a negative length", "\xff\xff\xff\xff", "began with"},
		{"a short frame", "\x00\x00\x00\x04abcd", "began with"},
		{"a timeout of 0", string(connected(7, 0)), "granted session timeout of 0s"},
		{"a negative timeout", string(connected(7, -time.Second)), "granted session timeout of -1s"},
		{"another version", string(framed(append([]byte("\x00\x00\x00\x0a\x00\x00\x75\x30\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x10"), make([]byte, 16)...))), "protocol version 10"},
		{"an absurd password", string(framed(append(make([]byte, 8), "12345678\x7f\xff\xff\xff12345"...))), "password"},
		{"a negative password", string(framed(append([]byte("\x00\x00\x00\x00\x00\x00\x01\x00"), "12345678\xff\xff\xff\xff"...))), "password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := pair(t)
			e.request(framed(make([]byte, 44)))
			_, err := e.answer([]byte(c.bytes))
			if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
			if len(e.failures) != 1 {
				t.Errorf("failures = %v", e.failures)
			}
		})
	}
}

func TestClosingWithoutAnAnswerIsExplained(t *testing.T) {
	e := pair(t)
	e.request(framed(make([]byte, 44)))
	e.server.Close()
	if _, err := readFrame(e.conn); !errors.Is(err, errNoAnswer) {
		t.Errorf("err = %v", err)
	}
}

func TestAServerThatSpeaksFirstIsRefused(t *testing.T) {
	e := pair(t)
	if _, err := e.answer(connected(7, time.Second)); !errors.Is(err, ErrProtocol) {
		t.Errorf("err = %v", err)
	}
}

func TestNothingBehindTheHandshakeCanHurt(t *testing.T) {
	made, set, check := part{opCreate, str(nil, "/a")}, part{opSetData, stat()}, part{opCheck, nil}
	for _, c := range []struct {
		name string
		op   int32
		send []byte
	}{
		{"a frame of 4 bytes", opGetData, framed([]byte("abcd"))},
		{"a frame of 15 bytes", opGetData, framed(make([]byte, 15))},
		{"a negative length", opGetData, []byte{0x80, 0, 0, 0}},
		{"an absurd length", opGetData, []byte{0x7f, 0xff, 0xff, 0xff}},
		{"a reply that nobody asked for", opGetData, reply(5, 0, nil)},
		{"a ping reply that nobody asked for", opGetData, reply(-2, 0, nil)},
		{"no body", opGetData, reply(1, 0, nil)},
		{"a truncated stat", opGetData, reply(1, 0, data("x")[:40])},
		{"data longer than the frame", opGetData, reply(1, 0, append(ints(nil, 1000), stat()...))},
		{"data of length -2", opGetData, reply(1, 0, append(ints(nil, -2), stat()...))},
		{"a list of 2 billion", OpGetChildren2, reply(1, 0, ints(nil, 0x7fffffff))},
		{"a list of -1", OpGetChildren2, reply(1, 0, append(ints(nil, -1), stat()...))},
		{"a list that ends early", OpGetChildren2, reply(1, 0, str(ints(nil, 2), "a"))},
		{"a name of length -1", OpGetChildren2, reply(1, 0, append(ints(nil, 1, -1), stat()...))},
		{"a truncated ACL", opGetACL, reply(1, 0, str(ints(nil, 1, 31), "world"))},
		{"a path longer than the frame", opCreate, reply(1, 0, ints(nil, 9))},
		{"a truncated stat alone", OpExists, reply(1, 0, make([]byte, statSize-1))},
		{"a name without a letter", OpGetChildren2, reply(1, 0, append(str(ints(nil, 1), ""), stat()...))},
		{"a name with a slash", OpGetChildren2, reply(1, 0, append(str(ints(nil, 1), "a/b"), stat()...))},
		{"the path of another create", opCreate, reply(1, 0, str(nil, "/x"))},
		{"a multi without end", opMulti, reply(1, 0, multi(made, set)[:2*multiHeaderSize+6+statSize])},
		{"a multi cut in its header", opMulti, reply(1, 0, ints(nil, opCheck))},
		{"a multi with an unknown result", opMulti, reply(1, 0, multi(made, part{99, nil}))},
		{"a multi with a truncated result", opMulti, reply(1, 0, multi(made, part{opSetData, stat()[1:]})[:90])},
		{"a multi with more results than asked for", opMulti, reply(1, 0, multi(made, set, check))},
		{"a multi with less results than asked for", opMulti, reply(1, 0, multi(made))},
		{"a multi with no results", opMulti, reply(1, 0, multi())},
		{"a multi with the results of another", opMulti, reply(1, 0, multi(made, check))},
		{"a multi with results in another order", opMulti, reply(1, 0, multi(set, made))},
		{"a multi with the path of another create", opMulti, reply(1, 0, multi(part{opCreate, str(nil, "/x")}, set))},
		{"a multi that was refused for nothing", opMulti, reply(1, 0, multi(refusal(0), refusal(0)))},
		{"a multi of which a part was refused for nothing", opMulti, reply(1, 0, multi(made, refusal(0)))},
		{"an event without a path", opGetData, reply(xidEvent, 0, ints(nil, 3, 3))},
		{"an event with an absurd path", opGetData, reply(xidEvent, 0, ints(nil, 3, 3, 0x7fffffff))},
		{"an event cut short", opGetData, reply(xidEvent, 0, ints(nil, 3)[:2])},
		{"an event at no path", opGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), ""))},
		{"an event at a path that is none", opGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "x"))},
		{"an event at a path that ends with a slash", opGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "/x/"))},
		{"an event at a path with an empty name", opGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "/a//x"))},
		{"an event that tells zk of an expired session", opGetData, reply(xidEvent, 0, str(ints(nil, -1, -112), ""))},
		{"an event that tells zk of a lost connection", opGetData, reply(xidEvent, 0, str(ints(nil, -1, 0), "/a"))},
		{"a credential refused that was not presented", opGetData, reply(xidAuth, -115, nil)},
		{"a credential accepted that was not presented", opGetData, reply(xidAuth, 0, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := pair(t)
			e.shake()
			e.request(framed(append(header(1, c.op), anyBody(c.op)...)))
			go func() { e.server.Write(c.send); e.server.Close() }()
			if f, err := readFrame(e.conn); !errors.Is(err, ErrProtocol) {
				t.Errorf("zk got %q, %v; want a refusal", f, err)
			}
		})
	}
}

func TestWhatServersSendPasses(t *testing.T) {
	list := str(str(ints(nil, 2), "a"), "bc")
	acl := str(str(ints(nil, 1, 31), "world"), "anyone")
	for _, c := range []struct {
		name string
		op   int32
		body []byte
	}{
		{"data", opGetData, data("x")},
		{"no data", opGetData, append(ints(nil, -1), stat()...)},
		{"children", OpGetChildren2, append(list, stat()...)},
		{"an ACL", opGetACL, append(acl, stat()...)},
		{"a path", opCreate, str(nil, "/a")},
		{"a deletion", opDelete, nil},
		{"a sync", opSync, str(nil, "/a")},
		{"bytes of a newer server", opCreate, append(str(nil, "/a"), stat()...)},
		{"a multi", opMulti, multi(part{opCreate, str(nil, "/a")}, part{opSetData, stat()})},
		{"a multi that was refused", opMulti, multi(refusal(0), refusal(-103))},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := pair(t)
			e.shake()
			e.request(framed(append(header(1, c.op), anyBody(c.op)...)))
			want := reply(1, 0, c.body)
			if got, err := e.answer(want); err != nil || !bytes.Equal(got, want) {
				t.Errorf("zk got %q, %v", got, err)
			}
		})
	}
}

func TestAnErrorsBodyIsNotLookedAt(t *testing.T) {
	e := pair(t)
	e.shake()
	e.request(getData(1, "/a"))
	if _, err := e.answer(reply(1, -101, []byte("whatever"))); err != nil {
		t.Error(err)
	}
}

// The claim alone must not cost memory.
func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	e := pair(t)
	e.shake()
	e.request(getData(1, "/a"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	frame := append(binary.BigEndian.AppendUint32(nil, MaxFrame), ints(nil, 1, 0, 1, 0)...)
	go func() { e.server.Write(frame); e.server.Close() }()
	if _, err := readFrame(e.conn); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a frame of which 20 bytes came", n)
	}
}

func TestAServerOfClickHouseKeeperThatHasNoLeaderIsTakenAtItsWord(t *testing.T) {
	e := pair(t)
	e.request(framed(make([]byte, 44)))
	_, err := e.answer(framed(append([]byte("\x00\x00\x00\x2a\x00\x00\x75\x30\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x10"), make([]byte, 16)...)))
	if !errors.Is(err, errNoLeader) || errors.Is(err, ErrProtocol) {
		t.Errorf("err = %v", err)
	}
}
