package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// term is a stretch, and whose it is.
type term struct {
	stretch
	by string
}

// history is what all processes have told. It is not safe for concurrent use.
type history struct {
	shards []string
	terms  map[string][]*term // by shard, in order of their tokens
}

func newHistory(shards []string) *history {
	return &history{shards: shards, terms: map[string][]*term{}}
}

// add takes in what a process tells of a term.
func (h *history) add(by string, s stretch) {
	all := h.terms[s.Shard]
	i, found := slices.BinarySearchFunc(all, s.Token, func(t *term, token int64) int {
		return int(max(-1, min(1, t.Token-token)))
	})
	if !found {
		h.terms[s.Shard] = slices.Insert(all, i, &term{s, by})
		return
	}
	if t := all[i]; t.by == by {
		t.To, t.Over = max(t.To, s.To), t.Over || s.Over
		return
	}
	h.terms[s.Shard] = slices.Insert(all, i, &term{s, by}) // one token, two leaders: a problem
}

// gone ends what a process leads, because it was killed.
func (h *history) gone(by string) {
	for _, all := range h.terms {
		for _, t := range all {
			if t.by == by {
				t.Over = true
			}
		}
	}
}

// leaders returns who leads each shard; shards that nobody leads are missing.
func (h *history) leaders() map[string]string {
	now := map[string]string{}
	for shard, all := range h.terms {
		if last := all[len(all)-1]; !last.Over {
			now[shard] = last.by
		}
	}
	return now
}

// settled reports whether each shard is led by the process that suits it best.
func (h *history) settled(processes []string) bool {
	now := h.leaders()
	for _, shard := range h.shards {
		if now[shard] != best(shard, processes) {
			return false
		}
	}
	return true
}

// problems tells of terms of one shard that were not one after the other.
func (h *history) problems() (problems []string) {
	for _, shard := range h.shards {
		all := h.terms[shard]
		for i := 1; i < len(all); i++ {
			if a, b := all[i-1], all[i]; a.Token == b.Token || b.From <= a.To {
				problems = append(problems, fmt.Sprintf("%s: %s with token %d and %s with token %d overlap by %v",
					shard, a.by, a.Token, b.by, b.Token, time.Duration(a.To-b.From)))
			}
		}
	}
	return problems
}

// count returns how many terms there were.
func (h *history) count() (n int) {
	for _, all := range h.terms {
		n += len(all)
	}
	return n
}

// gap returns the longest time without a leader that a shard has had since an instant.
func (h *history) gap(since int64) (longest time.Duration) {
	for _, all := range h.terms {
		for i := 1; i < len(all); i++ {
			if all[i].From > since {
				longest = max(longest, time.Duration(all[i].From-all[i-1].To))
			}
		}
	}
	return longest
}

// table shows who leads what, and how even that is.
func (h *history) table(processes []string) string {
	var b strings.Builder
	now := h.leaders()
	most, least := 0, len(h.shards)
	for _, p := range processes {
		var shards []string
		for _, shard := range h.shards {
			if now[shard] == p {
				shards = append(shards, shard)
			}
		}
		most, least = max(most, len(shards)), min(least, len(shards))
		fmt.Fprintf(&b, "           %-6s %3d  %s\n", p, len(shards), abridged(shards))
	}
	fmt.Fprintf(&b, "           at most %d, at least %d, on average %.1f\n", most, least, float64(len(h.shards))/float64(len(processes)))
	return b.String()
}

// abridged joins names, not all of them if they are many.
func abridged(names []string) string {
	const room = 16
	if len(names) > room {
		return strings.Join(names[:room], " ") + " ..."
	}
	return strings.Join(names, " ")
}

// moved compares two states: how many shards have another leader, and in words to whom.
func moved(before, after map[string]string) (shards int, to string) {
	gains := map[string]int{}
	for shard, p := range after {
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
