package main

import (
	"slices"
	"testing"
)

// best returns the process that should lead a shard.
func best(shard string, processes []string) string {
	return processes[slices.IndexFunc(processes, func(p string) bool { return rank(shard, p, processes) == 0 })]
}

// owners returns who should lead each of many shards.
func owners(processes []string) map[string]string {
	all := map[string]string{}
	for _, shard := range shardNames(10_000) {
		all[shard] = best(shard, processes)
	}
	return all
}

func counts(owners map[string]string) map[string]int {
	n := map[string]int{}
	for _, p := range owners {
		n[p]++
	}
	return n
}

// even reports whether n is within a tenth of the mean: three standard deviations of the count of
// 10,000 shards for one of 7 processes are a 14th of it.
func even(n, total, among int) bool { return n*among > total*9/10 && n*among < total*11/10 }

func TestManyShardsAreSpreadEvenly(t *testing.T) {
	for p, n := range counts(owners(processNames(7))) {
		if !even(n, 10_000, 7) {
			t.Errorf("%s has %d of 10000 shards; want about a seventh", p, n)
		}
	}
}

func TestOnlyTheShardsOfTheOneThatGoesMoveAndToAllOthers(t *testing.T) {
	processes := processNames(7)
	before, after := owners(processes), owners(processes[1:])
	gains := map[string]int{}
	for shard, p := range before {
		if p != processes[0] && after[shard] != p {
			t.Fatalf("%s moved from %s to %s, which did not go", shard, p, after[shard])
		}
		if p == processes[0] {
			gains[after[shard]]++
		}
	}
	gone := counts(before)[processes[0]]
	for _, p := range processes[1:] {
		if n := gains[p] * 6; n < gone/2 || n > gone*2 {
			t.Errorf("%s has got %d of the %d shards; want about a sixth", p, gains[p], gone)
		}
	}
}

func TestRanksAreAnOrderThatBeginsWithTheBest(t *testing.T) {
	processes := processNames(5)
	reversed := slices.Clone(processes)
	slices.Reverse(reversed)
	for _, shard := range shardNames(50) {
		var ranks []int
		for _, p := range processes {
			r := rank(shard, p, processes)
			ranks = append(ranks, r)
			if r != rank(shard, p, reversed) {
				t.Errorf("%s: the rank of %s depends on the order of the list", shard, p)
			}
			if (r == 0) != (best(shard, processes) == p) {
				t.Errorf("%s: %s has rank %d, the best is %s", shard, p, r, best(shard, processes))
			}
		}
		slices.Sort(ranks)
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(ranks, want) {
			t.Errorf("%s: ranks %v; want %v", shard, ranks, want)
		}
	}
}
