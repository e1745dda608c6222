package wire

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"
)

func TestACreateIsAnsweredWithItsPath(t *testing.T) {
	const plain, sequential = 0, zk.FlagSequence
	for _, c := range []struct {
		flags int32
		path  string
		good  bool
	}{
		{plain, "/a", true}, {plain, "/", false}, {plain, "", false}, {plain, "a", false}, {plain, "/x", false}, {plain, "/ab", false},
		{plain, "/a/b", false}, {plain, "/a0000000001", false},
		{sequential, "/a0000000001", true}, {sequential, "/a2147483647", true}, {sequential, "/a-2147483648", true}, {sequential, "/a-000000007", true},
		{sequential, "/a", false}, {sequential, "/a1", false}, {sequential, "/a00000000001", false}, {sequential, "/a9999999999", false},
		{sequential, "/a+000000001", false}, {sequential, "/a/000000001", false}, {sequential, "/b0000000001", false}, {sequential, "/a00000000x1", false},
	} {
		create := Op{Kind: OpCreate, Path: "/a", Flags: c.flags}
		for name, r := range map[string]*Request{"create": one(create), "multi": multi(create)} {
			body := str(nil, c.path)
			if r.Multi {
				body = results(part{OpCreate, body})
			}
			e := pair(t)
			e.shake()
			a, err := e.ask(r, 0, body)
			if (err == nil) != c.good || err != nil && !errors.Is(err, ErrProtocol) {
				t.Errorf("%s with flags %d answered with %q: %v", name, c.flags, c.path, err)
			}
			if a.Lost == c.good || c.good && a.Results[0].Path != c.path {
				t.Errorf("%s with flags %d answered with %q: %+v", name, c.flags, c.path, a)
			}
		}
	}
}
