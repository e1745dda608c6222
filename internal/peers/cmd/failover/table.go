//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// result is what was measured of a kind.
type result struct {
	kind peers.Kind
	took []time.Duration // without a leader
	// requests is how many all candidates made in the second after the servers' return; empty if
	// that was not counted.
	requests []int
}

// print writes a table, with milliseconds in that format.
func print(name, format string, all []*result) {
	counted := slices.ContainsFunc(all, func(r *result) bool { return len(r.requests) > 0 })
	head := []string{"candidates", "times", "nobody leads, ms (p50 / p95 / max)", "x D"}
	if counted {
		head = append(head, "requests in the first second (max)")
	}
	fmt.Printf("\n%s:\n\n", name)
	printRow(head)
	fmt.Println("|" + strings.Repeat("---|", len(head)))
	for _, r := range all {
		row := []string{r.name(), strconv.Itoa(len(r.took)), quantiles(r.took, time.Millisecond, format), ""}
		if r.kind.Ours() {
			row[3] = quantiles(r.took, lease, "%.2f")
		}
		switch {
		case len(r.requests) > 0:
			row = append(row, strconv.Itoa(slices.Max(r.requests)))
		case counted:
			row = append(row, "")
		}
		printRow(row)
	}
}

func printRow(cells []string) { fmt.Println("| " + strings.Join(cells, " | ") + " |") }

// name is the kind as a reader knows it.
func (r *result) name() string {
	if r.kind.Ours() {
		return "zkrecipe"
	}
	return string(r.kind)
}

func quantiles(all []time.Duration, unit time.Duration, format string) string {
	if len(all) == 0 {
		return "–"
	}
	slices.SortFunc(all, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	at := func(q float64) string {
		return fmt.Sprintf(format, float64(all[min(int(q*float64(len(all))), len(all)-1)])/float64(unit))
	}
	return at(0.5) + " / " + at(0.95) + " / " + at(1)
}
