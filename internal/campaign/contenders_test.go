//go:build linux

package campaign

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

func TestTheSeedPicksEachKindOfContender(t *testing.T) {
	picked := map[kind]int{}
	for seed := range uint64(200) {
		r := Round{rng: rand.New(rand.NewPCG(seed, 1))}
		for _, k := range r.anyKinds() {
			picked[k]++
		}
	}
	for _, k := range []kind{
		oneLock, triesLock, reader, writer, onePermit, triesOne, both, lockAt("a,b"), lockAt("b"),
	} {
		if picked[k] == 0 {
			t.Errorf("%+v is never picked: %v", k, picked)
		}
	}
}

// What is left behind is looked for where the znodes stand.
func TestZnodesStandAtThePathsOfTheContenders(t *testing.T) {
	for _, c := range []struct {
		kinds []kind
		want  []string
	}{
		{nil, nil},
		{[]kind{{}, {}}, []string{"/r"}}, // candidates
		{locks, []string{"/r"}},
		{atOnce, []string{"/r/leases", "/r/locks"}},
		{sets, []string{"/r/a", "/r/b", "/r/c"}},
	} {
		r := Round{path: "/r"}
		for _, k := range c.kinds {
			r.candidates = append(r.candidates, &candidate{kind: k})
		}
		if got := r.dirs(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q; want %q", c.kinds, got, c.want)
		}
	}
}

// Only what was there both before and after is sure to have been there when the znode went.
func TestOlderZnodesAreThoseThatWereThereAllTheTime(t *testing.T) {
	list := func(names ...string) map[string]bool {
		set := map[string]bool{}
		for _, name := range names {
			set[name] = true
		}
		return set
	}
	const a, b, c, d = "x-0000000009", "a-0000000010", "_c_-0000000011", "y-0000000012"
	for _, test := range []struct {
		gone          string
		before, after map[string]bool
		want          []string
	}{
		{a, list(a, b, c), list(b, c), nil},
		{c, list(a, b, c), list(a, b), []string{b, a}},
		{c, list(a, b, c), list(a, d), []string{a}},
		{c, list(a, c), list(a, b), []string{a}},
		{c, list(c, "config", d), list("config", d), nil},
		{"config", list(a, "config"), list(a), nil},
		{c, list(c), list(), nil},
	} {
		if got := aheadOf(test.gone, test.before, test.after); !slices.Equal(got, test.want) {
			t.Errorf("%s of %v, then %v: %q; want %q", test.gone, test.before, test.after, got, test.want)
		}
	}
}

// Two servers tell of one deletion. The second may show what the first did not.
func TestWhatASecondServerShowsOfADeletionCounts(t *testing.T) {
	r := newRecord()
	for i, ahead := range [][]string{nil, nil, {"a"}} {
		r.mark(history.Line{T: int64(i + 1), Event: "gone", Node: "/l/b", Ahead: ahead})
	}
	all := r.all()
	if len(all) != 2 || all[0].T != 1 || all[1].T != 3 || r.gone["/l/b"] != 1 {
		t.Errorf("%+v, gone at %d", all, r.gone["/l/b"])
	}
}
