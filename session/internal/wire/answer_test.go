package wire

import (
	"errors"
	"slices"
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

// The hooks are told what an answer says about znodes before the caller has the answer. They are told nothing
// if it is not certain.
func TestAnswersTellWhatComesAndGoes(t *testing.T) {
	const noNode, other = codeNoNode, -110
	remove, check := Op{Kind: OpDelete, Path: "/a", Version: -1}, Op{Kind: OpCheck, Path: "/a", Version: -1}
	create := func(flags int32) Op { return Op{Kind: OpCreate, Path: "/a", Flags: flags} }
	ephemeral := create(zk.FlagEphemeral)
	for _, c := range []struct {
		name  string
		asked *Request
		code  int32
		body  []byte
		want  []string
	}{
		{"an ephemeral", one(ephemeral), 0, str(nil, "/a"), []string{"+/a"}},
		{"an ephemeral with a number", one(create(zk.FlagEphemeralSequential)), 0, str(nil, "/a0000000003"), []string{"+/a0000000003"}},
		{"another znode", one(create(zk.FlagSequence)), 0, str(nil, "/a0000000003"), []string{"=/a0000000003"}},
		{"a create without a parent", one(ephemeral), noNode, nil, nil},
		{"a create that is refused", one(ephemeral), other, nil, nil},
		{"a deletion", one(remove), 0, nil, []string{"-/a"}},
		{"a second deletion", one(remove), noNode, nil, []string{"-/a"}},
		{"a deletion that is refused", one(remove), other, nil, nil},
		{"data", read("/a"), 0, data("x"), nil},
		{"no data", read("/a"), noNode, nil, []string{"-/a"}},
		{"no existence", about(OpExists), noNode, nil, []string{"-/a"}},
		{"no children", about(OpGetChildren2), noNode, nil, []string{"-/a"}},
		{"nothing to set", about(OpSetData), noNode, nil, []string{"-/a"}},
		{"a multi", multi(remove, ephemeral), 0, results(part{OpDelete, nil}, part{OpCreate, str(nil, "/a")}), []string{"-/a", "+/a"}},
		{"a multi without a parent", multi(check, ephemeral), 0, results(refusal(0), refusal(noNode)), nil},
		{"a multi about a znode that is gone", multi(check, ephemeral), 0, results(refusal(noNode), refusal(-2)), []string{"-/a"}},
		{"a multi that would delete twice", multi(remove, check), 0, results(refusal(0), refusal(noNode)), nil},
		{"a multi that is refused as a whole", multi(check), noNode, nil, nil},
		{"a multi of nothing", multi(), 0, results(), nil},
	} {
		e := pair(t)
		e.shake()
		frame, answer := e.send(c.asked)
		took := c.asked.Answered
		c.asked.Answered = func(a Answer) {
			if !slices.Equal(e.told, c.want) {
				t.Errorf("%s: told %q before the answer, want %q", c.name, e.told, c.want)
			}
			took(a)
		}
		if err := e.past(reply(number(frame), c.code, c.body)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if a := <-answer; a.Lost || !slices.Equal(e.told, c.want) {
			t.Errorf("%s: told %q, want %q; %+v", c.name, e.told, c.want, a)
		}
	}
}
