package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spread says which process leads each shard.
type spread map[string]string

// isBest reports whether each shard is led by the process that suits it best.
func (s spread) isBest(shards, processes []string) bool {
	return !slices.ContainsFunc(shards, func(shard string) bool {
		leader, ok := s[shard]
		return !ok || rank(shard, leader, processes) > 0
	})
}

// busiest returns the process that leads most.
func (s spread) busiest(processes []string) string {
	count := map[string]int{}
	for _, p := range s {
		count[p]++
	}
	return slices.MaxFunc(processes, func(a, b string) int { return count[a] - count[b] })
}

// moved returns how many shards had another leader before, and in words who leads them now.
func (s spread) moved(before spread) (shards int, to string) {
	gains := map[string]int{}
	for shard, p := range s {
		if before[shard] != p {
			shards++
			gains[p]++
		}
	}
	var parts []string
	for _, p := range slices.Sorted(maps.Keys(gains)) {
		parts = append(parts, fmt.Sprintf("%d to %s", gains[p], p))
	}
	return shards, strings.Join(parts, ", ")
}

// table shows who leads what, cut short if it is long, and how even the spread is.
func (s spread) table(shards, processes []string) string {
	const room = 16
	var b strings.Builder
	most, least := 0, len(shards)
	for _, p := range processes {
		its := slices.DeleteFunc(slices.Clone(shards), func(shard string) bool { return s[shard] != p })
		n := len(its)
		most, least = max(most, n), min(least, n)
		if n > room {
			its = append(its[:room], "...")
		}
		fmt.Fprintf(&b, "           %-6s %3d  %s\n", p, n, strings.Join(its, " "))
	}
	fmt.Fprintf(&b, "           at most %d, at least %d, on average %.1f\n", most, least, float64(len(shards))/float64(len(processes)))
	return b.String()
}
