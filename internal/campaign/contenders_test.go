//go:build linux

package campaign

import (
	"math/rand/v2"
	"slices"
	"testing"
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
