package session_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

// CheckPath refuses what a server refuses, and nothing else.
func TestPathsAreRefusedAsTheServersRefuseThem(t *testing.T) {
	e := three(t)
	conn := stage.RawConn(t, e)
	s := established(t, open(t, e.ConnectString(), session.Config{}))
	must(t, s.EnsurePath(within(t, hang), "/paths", nil))
	var names []string
	// Both sides of each border, and some of what lies between.
	for _, border := range []rune{0, 0x20, 0x7f, 0xa0, 0xd7ff, 0xe000, 0xf000, 0xf900, 0xfdd0, 0xfeff, 0xfff0, 0xfffd, 0x10000, 0x1f600, 0x10ffff} {
		for r := max(border-2, 0); r <= min(border+2, 0x10ffff); r++ {
			names = append(names, "x"+string(r)+"y")
		}
	}
	names = append(names, ".", "..", "...", ".a", "a.", "..a", "a..", "", "a/", "/a", "./a", "../a", "\xff", "a\xc0\x80", " ", " a ", "a b", "%2f", "\\", "zookeeper")
	refused := 0
	for _, name := range slices.Compact(names) {
		path := "/paths/" + name
		// A multi, because zk itself checks the paths of its other requests, by other rules.
		_, err := conn.Multi(&zk.CheckVersionRequest{Path: "/", Version: -1}, &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)})
		if errors.Is(err, zk.ErrNodeExists) {
			err = nil
		} // but if a path has a bad part before its last one, no znode can be its parent: zk.ErrNoNode
		ours := session.CheckPath(path)
		if (err == nil) != (ours == nil) {
			t.Errorf("%q: the server says %v, CheckPath %v", path, err, ours)
		}
		if ours != nil {
			refused++
		}
	}
	if refused < 30 || refused > len(names)-30 {
		t.Errorf("%d of %d were refused", refused, len(names))
	}
}
