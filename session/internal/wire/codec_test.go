package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// A reference is a zk.Conn that sends requests itself, to a server that the test plays.
type reference struct {
	t      *testing.T
	zk     *zk.Conn
	server net.Conn
}

func newReference(t *testing.T) *reference {
	near, far := net.Pipe()
	dials := make(chan net.Conn, 1)
	dials <- near
	dial := func(string, string, time.Duration) (net.Conn, error) {
		select {
		case c := <-dials:
			return c, nil
		default:
			return nil, net.ErrClosed
		}
	}
	conn, events, err := zk.Connect([]string{"reference"}, time.Hour, zk.WithDialer(dial), zk.WithHostProvider(oneHost{make(chan struct{})}), zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	far.SetDeadline(time.Now().Add(hang))
	r := &reference{t, conn, far}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { conn.Close(); close(closed) }()
		if frame, err := readFrame(far); err == nil {
			far.Write(reply(number(frame), 0, nil))
		}
		<-closed
		for range events {
		}
		far.Close()
	})
	if _, err := readFrame(far); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write(connected(7, time.Hour)); err != nil {
		t.Fatal(err)
	}
	return r
}

// ask makes a call, which the server answers, and returns the frame that zk sent.
func (r *reference) ask(call func(*zk.Conn) ([]Result, error), code int32, body []byte) (frame []byte, results []Result, err error) {
	r.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		results, err = call(r.zk)
	}()
	frame, failed := readFrame(r.server)
	if failed == nil {
		_, failed = r.server.Write(reply(number(frame), code, body))
	}
	if failed != nil {
		r.t.Fatal(failed)
	}
	<-done
	return frame, results, err
}

// result returns one of zk's answers as a Result.
func result(r Result, stat *zk.Stat, err error) ([]Result, error) {
	if stat != nil {
		r.Stat = *stat
	}
	return []Result{r}, err
}

// codes are zk's errors by their codes.
var codes = map[int32]error{0: nil, -101: zk.ErrNoNode, -102: zk.ErrNoAuth, -103: zk.ErrBadVersion, -110: zk.ErrNodeExists}

// multiResults returns zk's answers to a multi as Results.
func multiResults(rs []zk.MultiResponse, err error) ([]Result, error) {
	results := []Result{}
	for _, r := range rs {
		one := Result{Path: r.String}
		if r.Stat != nil {
			one.Stat = *r.Stat
		}
		for code, e := range codes {
			if errors.Is(r.Error, e) {
				one.Code = code
			}
		}
		results = append(results, one)
	}
	return results, err
}

// A likeness is a request that zk can make, too.
type likeness struct {
	name  string
	ours  *Request
	zks   func(*zk.Conn) ([]Result, error)
	watch bool
	body  []byte // of an answer
}

// someStat is a Stat whose bytes all differ.
func someStat() []byte {
	p := make([]byte, statSize)
	for i := range p {
		p[i] = byte(0xf0 - i)
	}
	return p
}

func likenesses() (all []likeness) {
	contents := map[string][]byte{"nil": nil, "empty": {}, "short": []byte("x\x00\xff"), "long": bytes.Repeat([]byte("long"), 10_000)}
	for what, content := range contents {
		all = append(all, creates(what, content)...)
		all = append(all, ofData(what, content)...)
	}
	return slices.Concat(all, others(), watches(), multis())
}

func likeZK(name string, op Op, body []byte, zks func(*zk.Conn) ([]Result, error)) likeness {
	return likeness{name: name, ours: one(op), zks: zks, body: body}
}

func creates(what string, content []byte) (all []likeness) {
	acls := map[string][]zk.ACL{
		"no ACL": nil, "an empty ACL": {}, "the world": zk.WorldACL(zk.PermAll),
		"two": {{Perms: zk.PermRead, Scheme: "digest", ID: "u:p"}, {Perms: -1, Scheme: "", ID: ""}},
	}
	for who, acl := range acls {
		for _, flags := range []int32{zk.FlagPersistent, zk.FlagEphemeral, zk.FlagSequence, zk.FlagEphemeralSequential} {
			path := "/a/é"
			made := path
			if flags&zk.FlagSequence != 0 {
				made += "0000000012"
			}
			all = append(all, likeZK(fmt.Sprintf("create with %s data, %s, flags %d", what, who, flags),
				Op{Kind: OpCreate, Path: path, Data: content, ACL: acl, Flags: flags}, str(nil, made), func(c *zk.Conn) ([]Result, error) {
					path, err := c.Create(path, content, flags, acl)
					return result(Result{Path: path}, nil, err)
				}))
		}
	}
	return all
}

// ofData are the other requests whose frame or answer has data.
func ofData(what string, content []byte) (all []likeness) {
	for _, version := range []int32{-1, 0, 1 << 30} {
		all = append(all, likeZK(fmt.Sprintf("setData of %s data at version %d", what, version),
			Op{Kind: OpSetData, Path: "/a", Data: content, Version: version}, someStat(), func(c *zk.Conn) ([]Result, error) {
				stat, err := c.Set("/a", content, version)
				return result(Result{}, stat, err)
			}))
	}
	body := append(ints(nil, -1), someStat()...)
	if content != nil {
		body = append(str(nil, string(content)), someStat()...)
	}
	return append(all, likeZK("getData of "+what+" data", Op{Kind: OpGetData, Path: "/a"}, body, func(c *zk.Conn) ([]Result, error) {
		data, stat, err := c.Get("/a")
		return result(Result{Data: data}, stat, err)
	}))
}

func others() (all []likeness) {
	for _, version := range []int32{-1, 0, 1 << 30} {
		all = append(all, likeZK(fmt.Sprintf("delete at version %d", version), Op{Kind: OpDelete, Path: "/a/b", Version: version}, nil,
			func(c *zk.Conn) ([]Result, error) { return result(Result{}, nil, c.Delete("/a/b", version)) }))
	}
	for _, names := range [][]string{nil, {"a"}, {"b", "a", "é-0000000001"}} {
		body := ints(nil, int32(len(names)))
		for _, name := range names {
			body = str(body, name)
		}
		all = append(all, likeZK(fmt.Sprintf("getChildren: %q", names), Op{Kind: OpGetChildren2, Path: "/"}, append(body, someStat()...),
			func(c *zk.Conn) ([]Result, error) {
				names, stat, err := c.Children("/")
				return result(Result{Children: names}, stat, err)
			}))
	}
	return append(all,
		likeZK("exists", Op{Kind: OpExists, Path: "/a"}, someStat(), func(c *zk.Conn) ([]Result, error) {
			_, stat, err := c.Exists("/a")
			return result(Result{}, stat, err)
		}),
		likeZK("sync", Op{Kind: OpSync, Path: "/a"}, str(nil, "/a"), func(c *zk.Conn) ([]Result, error) {
			path, err := c.Sync("/a")
			return result(Result{Path: path}, nil, err)
		}))
}

func watches() []likeness {
	return []likeness{
		{"getData with a watch", read("/a"), func(c *zk.Conn) ([]Result, error) {
			data, stat, _, err := c.GetW("/a")
			return result(Result{Data: data}, stat, err)
		}, true, append(str(nil, "x"), someStat()...)},
		{"getChildren with a watch", about(OpGetChildren2), func(c *zk.Conn) ([]Result, error) {
			names, stat, _, err := c.ChildrenW("/a")
			return result(Result{Children: names}, stat, err)
		}, true, append(str(ints(nil, 1), "x"), someStat()...)},
		{"exists with a watch", about(OpExists), func(c *zk.Conn) ([]Result, error) {
			_, stat, _, err := c.ExistsW("/a")
			return result(Result{}, stat, err)
		}, true, someStat()},
	}
}

func multis() (all []likeness) {
	world := zk.WorldACL(zk.PermRead)
	ops := []Op{
		{Kind: OpCheck, Path: "/a", Version: 7},
		{Kind: OpCreate, Path: "/a/b", Data: []byte("x"), ACL: world, Flags: zk.FlagEphemeralSequential},
		{Kind: OpCreate, Path: "/a/c", ACL: nil},
		{Kind: OpSetData, Path: "/a", Data: []byte{}, Version: -1},
		{Kind: OpSetData, Path: "/a", Version: 0},
		{Kind: OpDelete, Path: "/d", Version: 1},
	}
	zks := []any{
		&zk.CheckVersionRequest{Path: "/a", Version: 7},
		&zk.CreateRequest{Path: "/a/b", Data: []byte("x"), Acl: world, Flags: zk.FlagEphemeralSequential},
		&zk.CreateRequest{Path: "/a/c"},
		&zk.SetDataRequest{Path: "/a", Data: []byte{}, Version: -1},
		&zk.SetDataRequest{Path: "/a", Version: 0},
		&zk.DeleteRequest{Path: "/d", Version: 1},
	}
	good := []part{{OpCheck, nil}, {OpCreate, str(nil, "/a/b0000000001")}, {OpCreate, str(nil, "/a/c")}, {OpSetData, someStat()}, {OpSetData, stat()}, {OpDelete, nil}}
	add := func(name string, n int, parts ...part) {
		all = append(all, likeness{name: name, ours: multi(ops[:n]...), body: results(parts...),
			zks: func(c *zk.Conn) ([]Result, error) { return multiResults(c.Multi(zks[:n]...)) }})
	}
	for n := range len(ops) + 1 {
		add(fmt.Sprintf("multi of %d", n), n, good[:n]...)
	}
	add("multi of which the first fails", 2, refusal(-101), refusal(0))
	add("multi of which the last fails", 3, refusal(0), refusal(0), refusal(-110))
	add("multi of which two fail", 3, refusal(0), refusal(-103), refusal(-102))
	return all
}

// This package has to agree with zk. For the same request, zk sends the same frame, with another
// number. zk reads the same result from the same answer.
func TestFramesAndAnswersAreThoseOfZK(t *testing.T) {
	ref := newReference(t)
	e := pair(t)
	e.shake()
	for _, l := range likenesses() {
		e.watching["/a"], e.awaited["/a"] = l.watch, l.watch
		const noAuth = -102
		for code, body := range map[int32][]byte{0: l.body, noAuth: nil} {
			theirs, want, wantErr := ref.ask(l.zks, code, body)
			frame, answer := e.send(l.ours)
			if !bytes.Equal(frame[:lengthSize], theirs[:lengthSize]) || !bytes.Equal(frame[lengthSize+4:], theirs[lengthSize+4:]) {
				t.Errorf("%s: the frame is\n%q, want\n%q", l.name, frame, theirs)
			}
			if err := e.past(reply(number(frame), code, body)); err != nil {
				t.Fatalf("%s: %v", l.name, err)
			}
			got := <-answer
			if got.Lost || got.Code != code || code != 0 && got.Results != nil || !errors.Is(wantErr, firstError(got)) {
				t.Errorf("%s: %+v, want %v", l.name, got, wantErr)
			}
			if code == 0 && !sameResults(got.Results, want) {
				t.Errorf("%s: %+v, want %+v", l.name, got.Results, want)
			}
		}
	}
}

// firstError returns zk's error for an answer.
func firstError(a Answer) error {
	if i := failed(a.Results); i >= 0 {
		return codes[a.Results[i].Code]
	}
	return codes[a.Code]
}

// sameResults treats no list and an empty list as the same.
func sameResults(a, b []Result) bool {
	for _, rs := range [][]Result{a, b} {
		for i := range rs {
			if len(rs[i].Children) == 0 {
				rs[i].Children = nil
			}
		}
	}
	return reflect.DeepEqual(a, b)
}
