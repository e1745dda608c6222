package wire

import (
	"errors"
	"slices"
	"testing"
)

func TestACreateIsAnsweredWithItsPath(t *testing.T) {
	const plain, sequential = 0, flagSequence
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
		for name, kind := range map[string]int32{"create": opCreate, "container": opCreateContainer, "TTL": opCreateTTL, "multi": opMulti} {
			body, answer := create(c.flags), str(nil, c.path)
			if kind == opMulti {
				body, answer = multi(part{opCreate, body}), multi(part{opCreate, answer})
			}
			e := pair(t)
			e.shake()
			e.request(framed(append(header(1, kind), body...)))
			if _, err := e.answer(reply(1, 0, answer)); (err == nil) != c.good || err != nil && !errors.Is(err, ErrProtocol) {
				t.Errorf("%s with flags %d answered with %q: %v", name, c.flags, c.path, err)
			}
		}
	}
}

// The hooks are told what an answer says about znodes before zk has the answer. They are told nothing if
// it is not certain.
func TestAnswersTellWhatComesAndGoes(t *testing.T) {
	const noNode, other = codeNoNode, -110
	about := func(path string) []byte { return ints(str(nil, path), -1) }
	remove, check := part{opDelete, about("/a")}, part{opCheck, about("/a")}
	ephemeral := part{opCreate, create(flagEphemeral)}
	for _, c := range []struct {
		name  string
		op    int32
		asked []byte
		code  int32
		body  []byte
		want  []string
	}{
		{"an ephemeral", opCreate, create(flagEphemeral), 0, str(nil, "/a"), []string{"+/a"}},
		{"an ephemeral with a number", opCreate, create(flagEphemeral | flagSequence), 0, str(nil, "/a0000000003"), []string{"+/a0000000003"}},
		{"another znode", opCreate, create(flagSequence), 0, str(nil, "/a0000000003"), []string{"=/a0000000003"}},
		{"a container", opCreateContainer, create(4), 0, str(nil, "/a"), []string{"=/a"}},
		{"one that ends by itself", opCreateTTL, create(5), 0, str(nil, "/a"), []string{"=/a"}},
		{"a create without a parent", opCreate, create(flagEphemeral), noNode, nil, nil},
		{"a create that is refused", opCreate, create(flagEphemeral), other, nil, nil},
		{"a deletion", opDelete, about("/a"), 0, nil, []string{"-/a"}},
		{"a second deletion", opDelete, about("/a"), noNode, nil, []string{"-/a"}},
		{"a deletion that is refused", opDelete, about("/a"), other, nil, nil},
		{"data", opGetData, anyBody(opGetData), 0, data("x"), nil},
		{"no data", opGetData, anyBody(opGetData), noNode, nil, []string{"-/a"}},
		{"no existence", OpExists, anyBody(OpExists), noNode, nil, []string{"-/a"}},
		{"no children", OpGetChildren2, anyBody(OpGetChildren2), noNode, nil, []string{"-/a"}},
		{"nothing to set", opSetData, anyBody(opSetData), noNode, nil, []string{"-/a"}},
		{"a multi", opMulti, multi(remove, ephemeral), 0, multi(part{opDelete, nil}, part{opCreate, str(nil, "/a")}), []string{"-/a", "+/a"}},
		{"a multi without a parent", opMulti, multi(check, ephemeral), 0, multi(refusal(0), refusal(noNode)), nil},
		{"a multi about a znode that is gone", opMulti, multi(check, ephemeral), 0, multi(refusal(noNode), refusal(-2)), []string{"-/a"}},
		{"a multi that would delete twice", opMulti, multi(remove, check), 0, multi(refusal(0), refusal(noNode)), nil},
		{"a multi that is refused as a whole", opMulti, multi(check), noNode, nil, nil},
	} {
		e := pair(t)
		e.shake()
		e.request(framed(append(header(1, c.op), c.asked...)))
		if _, err := e.answer(reply(1, c.code, c.body)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !slices.Equal(e.told, c.want) {
			t.Errorf("%s: told %q, want %q", c.name, e.told, c.want)
		}
	}
}
