package zktest_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// FuzzFrames sends a client's bytes to a server: first a connect request of its own making or a
// proper one, then frames. The server goes on serving others, whatever comes, and every write that
// it has accepted has a name.
func FuzzFrames(f *testing.F) {
	hello := pack(0, int64(0), 4000, int64(0), make([]byte, 16), false)
	f.Add(false, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(false, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add(false, framed(hello, pack(1, 1, "/x", []byte("d"), open, 3)))
	f.Add(true, framed(pack(1, 1, "/x", []byte("d"), open, 1), pack(2, 4, "/x", true), pack(3, 2, "/x", -1), pack(-2, 11)))
	f.Add(true, framed(pack(1, 14, 1, false, -1, "/m", []byte{}, open, 2, 5, false, -1, "/", []byte("d"), 0, 13, false, -1, "/m", 0, -1, true, -1)))
	f.Add(true, framed(pack(1, 101, int64(1), []string{"/", "/x"}, []string{"/y"}, []string{"/"}), pack(-4, 100, 0, "digest", []byte("a:b"))))
	f.Add(true, framed(pack(1, 7, "/", acls{{31, "auth", ""}, {1, "ip", "1.2.3.4/8"}}, -1), pack(2, 6, "/"), pack(3, -11)))
	f.Add(true, framed(pack(1, 1, 1<<30), pack(1, 8, -1), pack(1, 101, int64(0), 1<<30), verbatim{}, verbatim{1}))
	f.Add(true, framed(pack(1, 106, "/", 1), pack(2, 18, "/", 3), pack(3, 106, "/x", 0), pack(4, 1, "/x", []byte("d"), open, 0), pack(5, 18, "/x", 9)))
	f.Fuzz(func(t *testing.T, opened bool, data []byte) {
		e, err := zktest.New(zktest.Config{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		tr := &trace{t: t, sessions: map[int64]string{}, dial: func(int) (net.Conn, error) {
			return e.Dial(context.Background(), "tcp", e.Addrs()[0])
		}}
		bad := tr.client("bad", 0)
		if opened {
			bad.hello("opens a session", 0, 4000, 0, make([]byte, 16), false)
		}
		_, _ = bad.conn.Write(data)
		bad.conn.Close()
		good := tr.open("good")
		good.create("/still here", []byte("x"), 1)
		if !strings.Contains(tr.last(), "err=0") && !strings.Contains(tr.last(), "err=-1") {
			t.Errorf("the server does not answer any more: %s", tr.last())
		}
		for _, n := range e.Nodes() {
			if n.Stat.Czxid == 0 || !strings.HasPrefix(n.Path, "/") {
				t.Errorf("odd znode %+v", n)
			}
		}
	})
}

// framed puts each body behind its length.
func framed[T ~[]byte](bodies ...T) []byte {
	var b []byte
	for _, body := range bodies {
		b = append(b, pack([]byte(body))...)
	}
	return b
}
