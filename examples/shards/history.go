package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// stretch is the time for which a process has proved that it led a shard: its term was valid at
// From, at To and at each beat between.
type stretch struct {
	Shard, By string
	Token     int64
	From, To  int64 // CLOCK_MONOTONIC in ns, the same for all processes of a machine
	Over      bool
}

// history is what all processes have told: the terms of each shard, in order of their tokens.
type history map[string][]*stretch

// add takes in what a process tells of a term, which may be more than it told before.
func (h history) add(told stretch) {
	all := h[told.Shard]
	for _, t := range all {
		if t.Token == told.Token && t.By == told.By {
			*t = told
			return
		}
	}
	all = append(all, &told)
	slices.SortFunc(all, func(a, b *stretch) int { return cmp.Compare(a.Token, b.Token) })
	h[told.Shard] = all
}

// gone ends what a process leads, because it was killed.
func (h history) gone(by string) {
	for _, all := range h {
		for _, t := range all {
			t.Over = t.Over || t.By == by
		}
	}
}

// leaders returns who leads each shard; shards that nobody leads are missing.
func (h history) leaders() spread {
	now := spread{}
	for shard, all := range h {
		if last := all[len(all)-1]; !last.Over {
			now[shard] = last.By
		}
	}
	return now
}

// problems tells of terms of one shard that were not one after the other.
func (h history) problems() (problems []string) {
	for shard, all := range h {
		for i := 1; i < len(all); i++ {
			if a, b := all[i-1], all[i]; a.Token == b.Token || b.From <= a.To {
				problems = append(problems, fmt.Sprintf("%s: %s with token %d and %s with token %d overlap by %v",
					shard, a.By, a.Token, b.By, b.Token, time.Duration(a.To-b.From)))
			}
		}
	}
	return problems
}

// gap returns the longest time without a leader that a shard has had since an instant.
func (h history) gap(since int64) (longest time.Duration) {
	for _, all := range h {
		for i := 1; i < len(all); i++ {
			if all[i].From > since {
				longest = max(longest, time.Duration(all[i].From-all[i-1].To))
			}
		}
	}
	return longest
}

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
