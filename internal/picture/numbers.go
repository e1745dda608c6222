package main

import (
	"errors"
	"fmt"
	"strings"
)

// numbers is the paragraph that tells the README's readers what the last benchmark has measured:
// the page of performance has its tables.
func numbers(page string) (string, error) {
	handovers := table(page, "## Graceful failover")
	ours, theirs := ratios(handovers, "zkrecipe"), ratios(handovers, "zk.Lock")
	crash := table(page, "## Crash, and frozen servers")
	if len(ours) < 2 || len(theirs) != len(ours) || len(crash) == 0 {
		return "", errors.New("the page of performance has no tables of hand-overs and crashes")
	}
	last := crash[len(crash)-1] // D, times, p50, p95, max
	if len(last) < 5 {
		return "", fmt.Errorf("a row of crashes is %q", last)
	}
	return wrapped("On a real ensemble of three servers, a hand-over after a rest takes %s times as long as ZooKeeper itself needs to delete a "+
		"znode and to tell another client of it (medians, %s to %s candidates). With zk.Lock it takes %s times as "+
		"long. After `kill -9` the next one leads after %s D (median of %s), or %s D (the slowest), with D = %s. "+
		"`make bench` has measured this: see [performance](recipe/docs/performance.md).",
		span(ours), handovers[0][0], handovers[len(handovers)-1][0], span(theirs), last[2], last[1], last[4], last[0]), nil
}

// wrapped is Sprintf of a paragraph in lines of at most 100 columns, as the README has.
func wrapped(format string, values ...any) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(fmt.Sprintf(format, values...)) {
		if line != "" && len(line)+1+len(word) > 100 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

// table returns the rows of the first table below a heading, without its head.
func table(page, heading string) (rows [][]string) {
	_, page, _ = strings.Cut(page, "\n"+heading+"\n")
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows[min(2, len(rows)):]
}

// ratios returns the medians, in units of the floor's, of those hand-overs that are of one library.
func ratios(rows [][]string, who string) (all []string) {
	for _, cells := range rows {
		if len(cells) > 5 && cells[1] == who {
			all = append(all, cells[5]) // candidates, who, p50, p95, p99, p50/floor
		}
	}
	return all
}

// span tells the least and the most of numbers that are written with as many digits.
func span(ns []string) string {
	least, most := ns[0], ns[0]
	for _, n := range ns {
		least, most = min(least, n), max(most, n)
	}
	return least + " to " + most
}
