package updates

import (
	"fmt"
	"slices"
	"testing"
)

func TestTheModelFindsALostUpdate(t *testing.T) {
	write := func(call, end int64, found, left string) Op {
		return Op{Call: call, Return: end, Found: found, Left: left}
	}
	unknown := func(call int64, found, left string) Op {
		return Op{Call: call, Found: found, Left: left, Unknown: true}
	}
	read := func(call, end int64, found, left string) Op {
		return Op{Call: call, Return: end, Found: found, Left: left, Read: true}
	}
	for name, c := range map[string]struct {
		ops  []Op
		good bool
	}{
		"none":                      {nil, true},
		"in turn":                   {[]Op{write(1, 2, "", "a"), write(3, 4, "a", "b"), read(5, 6, "b", "b")}, true},
		"a lost update":             {[]Op{write(1, 4, "", "a"), write(2, 3, "", "b")}, false},
		"an old value":              {[]Op{write(1, 2, "", "a"), read(3, 4, "", "")}, false},
		"what nobody wrote":         {[]Op{read(1, 2, "x", "x")}, false},
		"a write between two reads": {[]Op{read(1, 4, "", "a"), write(2, 3, "", "a")}, false},
		"at one time":               {[]Op{write(1, 5, "a", "b"), write(2, 4, "", "a")}, true},
		"at one instant":            {[]Op{write(1, 2, "a", "b"), write(2, 4, "", "a")}, true},
		"unknown and not read":      {[]Op{unknown(1, "", "a"), write(2, 3, "", "b")}, true},
		"unknown, read before it":   {[]Op{read(1, 2, "a", "a"), unknown(3, "", "a")}, false},
		"unknown, and read later": {
			[]Op{unknown(1, "", "a"), read(2, 3, "", ""), read(4, 5, "a", "a")}, true},
		"unknown, read and lost": {
			[]Op{unknown(1, "", "a"), write(2, 3, "", "b"), read(4, 5, "a", "a")}, false},
		"unknown, another's base": {
			[]Op{unknown(1, "", "a"), unknown(2, "a", "b"), read(4, 5, "b", "b")}, true},
		"unknown, and the other is not read": {
			[]Op{unknown(1, "", "a"), unknown(2, "a", "b"), read(4, 5, "a", "a")}, true},
		"unknown, and read after the next": {
			[]Op{unknown(1, "", "a"), write(2, 3, "a", "b"), read(4, 5, "a", "a")}, false},
	} {
		for range 2 { // in any order
			if got := Linearizable(c.ops); got != c.good {
				t.Errorf("%s: linearizable %v; want %v", name, got, c.good)
			}
			slices.Reverse(c.ops)
		}
	}
}

// A round of the campaign has some thousand operations, and some with an unknown outcome.
func TestALongHistoryIsJudged(t *testing.T) {
	var ops []Op
	last := ""
	for i := range int64(5000) {
		op := Op{Call: 2 * i, Return: 2*i + 3, Found: last, Left: fmt.Sprint(i), Unknown: i%50 == 7}
		ops, last = append(ops, op), op.Left
		if i%50 == 9 { // one that has come to nothing
			op.Left, op.Unknown = fmt.Sprint("lost", i), true
			ops = append(ops, op)
		}
	}
	if !Linearizable(ops) {
		t.Error("a history in order is not linearizable")
	}
	ops[2500].Found = ops[2498].Found
	if Linearizable(ops) {
		t.Error("a lost update in it is not found")
	}
}
