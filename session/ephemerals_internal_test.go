package session

import (
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

func TestAnswersTellWhatComesAndGoes(t *testing.T) {
	const noNode, other = -101, -110
	op := func(kind int32) wire.Op { return wire.Op{Kind: kind, Path: "/a"} }
	create := func(flags int32) wire.Op { return wire.Op{Kind: wire.OpCreate, Path: "/a", Flags: flags} }
	ephemeral, remove, check := create(zk.FlagEphemeral), op(wire.OpDelete), op(wire.OpCheck)
	multi := func(ops ...wire.Op) *wire.Request { return &wire.Request{Ops: ops, Multi: true} }
	one := func(o wire.Op) *wire.Request { return &wire.Request{Ops: []wire.Op{o}} }
	done := func(results ...wire.Result) wire.Answer { return wire.Answer{Results: results} }
	none, there := wire.Result{}, wire.Result{Path: "/a"}
	code := func(c int32) wire.Result { return wire.Result{Code: c} }
	failed := func(c int32) wire.Answer { return wire.Answer{Code: c} }
	gone := change{path: "/a"}
	for name, c := range map[string]struct {
		r    *wire.Request
		a    wire.Answer
		want []change
	}{
		"an ephemeral":               {one(ephemeral), done(there), []change{{"/a", true, true}}},
		"an ephemeral with a number": {one(create(zk.FlagEphemeralSequential)), done(wire.Result{Path: "/a0000000003"}), []change{{"/a0000000003", true, true}}},
		"another znode":              {one(create(zk.FlagSequence)), done(wire.Result{Path: "/a0000000003"}), []change{{"/a0000000003", true, false}}},
		"a create without a parent":  {one(ephemeral), failed(noNode), nil},
		"a create that is refused":   {one(ephemeral), failed(other), nil},
		"a create that is lost":      {one(ephemeral), wire.Answer{Lost: true}, nil},
		"a deletion":                 {one(remove), done(none), []change{gone}},
		"a second deletion":          {one(remove), failed(noNode), []change{gone}},
		"a deletion that is refused": {one(remove), failed(other), nil},
		"a deletion that is lost":    {one(remove), wire.Answer{Lost: true}, nil},
		"data":                       {one(op(wire.OpGetData)), done(none), nil},
		"no data":                    {one(op(wire.OpGetData)), failed(noNode), []change{gone}},
		"no existence":               {one(op(wire.OpExists)), failed(noNode), []change{gone}},
		"no children":                {one(op(wire.OpGetChildren2)), failed(noNode), []change{gone}},
		"nothing to set":             {one(op(wire.OpSetData)), failed(noNode), []change{gone}},

		"a multi":                             {multi(remove, ephemeral), done(none, there), []change{gone, {"/a", true, true}}},
		"a multi that creates and deletes":    {multi(ephemeral, remove), done(there, none), []change{{"/a", true, true}, gone}},
		"a multi without a parent":            {multi(check, ephemeral), done(none, code(noNode)), nil},
		"a multi about a znode that is gone":  {multi(check, ephemeral), done(code(noNode), code(-2)), []change{gone}},
		"a multi that would delete twice":     {multi(remove, check), done(none, code(noNode)), nil},
		"a multi that is refused as a whole":  {multi(check), failed(noNode), nil},
		"a multi whose deletion is not there": {multi(check, remove), done(none, code(noNode)), []change{gone}},
		"a multi of nothing":                  {multi(), done(), nil},
	} {
		if got := changes(c.r, c.a); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
