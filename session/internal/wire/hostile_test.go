package wire

import (
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
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

func TestBadBytesAfterTheHandshakeDoNoHarm(t *testing.T) {
	made, set, check := part{OpCreate, str(nil, "/a")}, part{OpSetData, stat()}, part{OpCheck, nil}
	answer := func(body []byte) []byte { return reply(firstOwn, 0, body) }
	for _, c := range []struct {
		name string
		op   int32
		send []byte
	}{
		{"a frame of 4 bytes", OpGetData, framed([]byte("abcd"))},
		{"a frame of 15 bytes", OpGetData, framed(make([]byte, 15))},
		{"a negative length", OpGetData, []byte{0x80, 0, 0, 0}},
		{"an absurd length", OpGetData, []byte{0x7f, 0xff, 0xff, 0xff}},
		{"a reply that nobody asked for", OpGetData, reply(5, 0, nil)},
		{"a ping reply that nobody asked for", OpGetData, reply(-2, 0, nil)},
		{"a reply to the next request", OpGetData, reply(firstOwn-1, 0, data("x"))},
		{"no body", OpGetData, answer(nil)},
		{"a truncated stat", OpGetData, answer(data("x")[:40])},
		{"data longer than the frame", OpGetData, answer(append(ints(nil, 1000), stat()...))},
		{"data of length -2", OpGetData, answer(append(ints(nil, -2), stat()...))},
		{"a list of 2 billion", OpGetChildren2, answer(ints(nil, 0x7fffffff))},
		{"a list of -1", OpGetChildren2, answer(append(ints(nil, -1), stat()...))},
		{"a list that ends early", OpGetChildren2, answer(str(ints(nil, 2), "a"))},
		{"a name of length -1", OpGetChildren2, answer(append(ints(nil, 1, -1), stat()...))},
		{"a path longer than the frame", OpCreate, answer(ints(nil, 9))},
		{"a truncated stat alone", OpExists, answer(make([]byte, statSize-1))},
		{"no stat", OpSetData, answer(nil)},
		{"a sync without a path", OpSync, answer(nil)},
		{"an addWatch without its field", OpAddWatch, answer(ints(nil, 0)[:3])},
		{"a name without a letter", OpGetChildren2, answer(append(str(ints(nil, 1), ""), stat()...))},
		{"a name with a slash", OpGetChildren2, answer(append(str(ints(nil, 1), "a/b"), stat()...))},
		{"the path of another create", OpCreate, answer(str(nil, "/x"))},
		{"a multi without end", opMulti, answer(results(made, set)[:2*multiHeaderSize+6+statSize])},
		{"a multi cut in its header", opMulti, answer(ints(nil, OpCheck))},
		{"a multi with an unknown result", opMulti, answer(results(made, part{99, nil}))},
		{"a multi with a truncated result", opMulti, answer(results(made, part{OpSetData, stat()[1:]})[:90])},
		{"a multi with more results than asked for", opMulti, answer(results(made, set, check))},
		{"a multi with less results than asked for", opMulti, answer(results(made))},
		{"a multi with no results", opMulti, answer(results())},
		{"a multi with the results of another", opMulti, answer(results(made, check))},
		{"a multi with results in another order", opMulti, answer(results(set, made))},
		{"a multi with the path of another create", opMulti, answer(results(part{OpCreate, str(nil, "/x")}, set))},
		{"a multi that was refused for nothing", opMulti, answer(results(refusal(0), refusal(0)))},
		{"a multi of which a part was refused for nothing", opMulti, answer(results(made, refusal(0)))},
		{"an event without a path", OpGetData, reply(xidEvent, 0, ints(nil, 3, 3))},
		{"an event with an absurd path", OpGetData, reply(xidEvent, 0, ints(nil, 3, 3, 0x7fffffff))},
		{"an event cut short", OpGetData, reply(xidEvent, 0, ints(nil, 3)[:2])},
		{"an event at no path", OpGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), ""))},
		{"an event at a path that is none", OpGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "x"))},
		{"an event at a path that ends with a slash", OpGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "/x/"))},
		{"an event at a path with an empty name", OpGetData, reply(xidEvent, 0, str(ints(nil, 1, 3), "/a//x"))},
		{"an event of an expired session", OpGetData, reply(xidEvent, 0, str(ints(nil, -1, -112), ""))},
		{"an event of a lost connection", OpGetData, reply(xidEvent, 0, str(ints(nil, -1, 0), "/a"))},
		{"a credential refused that was not presented", OpGetData, reply(xidAuth, -115, nil)},
		{"a credential accepted that was not presented", OpGetData, reply(xidAuth, 0, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := pair(t)
			e.shake()
			_, answer := e.send(about(c.op))
			go func() { e.server.Write(c.send); e.server.Close() }()
			if f, err := readFrame(e.conn); !errors.Is(err, ErrProtocol) {
				t.Errorf("zk got %q, %v; want a refusal", f, err)
				e.conn.Close()
			}
			if a := <-answer; !a.Lost || a.Code != 0 || a.Results != nil {
				t.Errorf("the caller got %+v; want a loss", a)
			}
			if len(e.events) > 0 || len(e.answered) > 0 {
				t.Errorf("told %q; %d answers counted", e.events, len(e.answered))
			}
		})
	}
}

func TestASecondReplyToARequestIsRefused(t *testing.T) {
	e := pair(t)
	e.shake()
	frame, answer := e.send(read("/a"))
	r := reply(number(frame), 0, data("x"))
	if err := e.past(append(r, r...)); !errors.Is(err, ErrProtocol) {
		t.Errorf("err = %v", err)
	}
	if a := <-answer; a.Lost || string(a.Results[0].Data) != "x" {
		t.Errorf("%+v", a)
	}
}

func TestWhatServersSendPasses(t *testing.T) {
	list := str(str(ints(nil, 2), "a"), "bc")
	for _, c := range []struct {
		name string
		op   int32
		body []byte
		want []Result
	}{
		{"data", OpGetData, data("x"), []Result{{Data: []byte("x")}}},
		{"no data", OpGetData, append(ints(nil, -1), stat()...), []Result{{}}},
		{"empty data", OpGetData, data(""), []Result{{Data: []byte{}}}},
		{"children", OpGetChildren2, append(list, stat()...), []Result{{Children: []string{"a", "bc"}}}},
		{"a path", OpCreate, str(nil, "/a"), []Result{{Path: "/a"}}},
		{"a deletion", OpDelete, nil, []Result{{}}},
		{"a sync", OpSync, str(nil, "/a"), []Result{{Path: "/a"}}},
		{"watches set", OpSetWatches, nil, []Result{{}}},
		{"watches removed", OpRemoveWatches, nil, []Result{{}}},
		{"a watch added", OpAddWatch, ints(nil, 0), []Result{{}}},
		{"bytes of a newer server", OpCreate, append(str(nil, "/a"), stat()...), []Result{{Path: "/a"}}},
		{"a multi", opMulti, results(part{OpCreate, str(nil, "/a")}, part{OpSetData, stat()}), []Result{{Path: "/a"}, {}}},
		{"a multi that was refused", opMulti, results(refusal(0), refusal(-103)), []Result{{}, {Code: -103}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := pair(t)
			e.shake()
			a, err := e.ask(about(c.op), 0, c.body)
			if want := (Answer{Results: c.want}); err != nil || !reflect.DeepEqual(a, want) {
				t.Errorf("%+v, %v; want %+v", a, err, want)
			}
		})
	}
}

func TestAnErrorsBodyIsNotLookedAt(t *testing.T) {
	for _, op := range []int32{OpGetData, OpCreate, OpSetWatches, opMulti} {
		e := pair(t)
		e.shake()
		a, err := e.ask(about(op), -101, []byte("whatever"))
		if want := (Answer{Code: -101}); err != nil || !reflect.DeepEqual(a, want) {
			t.Errorf("%+v, %v; want %+v", a, err, want)
		}
	}
}

// The data of an answer must be a copy, because the next frame is read into the same memory.
func TestAnAnswerKeepsItsBytes(t *testing.T) {
	e := pair(t)
	e.shake()
	first, err := e.ask(read("/a"), 0, data("first"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.ask(read("/a"), 0, data("second")); err != nil {
		t.Fatal(err)
	}
	if got := first.Results[0].Data; string(got) != "first" {
		t.Errorf("%q", got)
	}
}

// allocated returns how much memory f takes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The announced length alone must not cost memory.
func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	e := pair(t)
	e.shake()
	e.send(read("/a"))
	frame := slices.Concat(ints(nil, MaxFrame, firstOwn, 0, 1, 0), make([]byte, spareSize))
	n := allocated(func() {
		go func() { e.server.Write(frame); e.server.Close() }()
		if _, err := readFrame(e.conn); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("err = %v", err)
		}
	})
	if n > 1<<20 {
		t.Errorf("%d bytes allocated for a frame of which %d came", n, len(frame))
	}
}

func TestTheMemoryOfAListGrowsWithWhatArrives(t *testing.T) {
	e := pair(t)
	e.shake()
	frame, answer := e.send(about(OpGetChildren2))
	n := allocated(func() {
		if err := e.past(reply(number(frame), 0, str(ints(nil, 1<<20), "a"))); !errors.Is(err, ErrProtocol) {
			t.Errorf("err = %v", err)
		}
	})
	if n > 1<<20 {
		t.Errorf("%d bytes allocated for a list of which one name came", n)
	}
	if a := <-answer; !a.Lost {
		t.Errorf("%+v", a)
	}
}

func TestAServerOfClickHouseKeeperWithoutALeaderIsNamed(t *testing.T) {
	e := pair(t)
	e.request(framed(make([]byte, 44)))
	_, err := e.answer(framed(append([]byte("\x00\x00\x00\x2a\x00\x00\x75\x30\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x10"), make([]byte, 16)...)))
	if !errors.Is(err, errNoLeader) || errors.Is(err, ErrProtocol) {
		t.Errorf("err = %v", err)
	}
}
