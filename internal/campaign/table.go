//go:build linux

package campaign

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// notes are what a fault measures besides.
type notes struct {
	counts   map[string][2]int // how often yes, out of how many
	measures map[string][]time.Duration
}

func (n *notes) count(what string, yes bool) {
	if n.counts == nil {
		n.counts = map[string][2]int{}
	}
	c := n.counts[what]
	c[1]++
	if yes {
		c[0]++
	}
	n.counts[what] = c
}

func (n *notes) measure(what string, d time.Duration) {
	if n.measures == nil {
		n.measures = map[string][]time.Duration{}
	}
	n.measures[what] = append(n.measures[what], d)
}

func (n *notes) add(m notes) {
	for what, c := range m.counts {
		if n.counts == nil {
			n.counts = map[string][2]int{}
		}
		sum := n.counts[what]
		n.counts[what] = [2]int{sum[0] + c[0], sum[1] + c[1]}
	}
	for what, all := range m.measures {
		for _, d := range all {
			n.measure(what, d)
		}
	}
}

// String lists the notes in the order of their names.
func (n *notes) String() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(n.counts)) {
		all = append(all, fmt.Sprintf("%s %d/%d", what, n.counts[what][0], n.counts[what][1]))
	}
	for _, what := range slices.Sorted(maps.Keys(n.measures)) {
		all = append(all, fmt.Sprintf("%s %s", what, percentiles(n.measures[what], time.Millisecond, "%.0f")))
	}
	return strings.Join(all, "; ")
}

// row is what the rounds of one fault have shown.
type row struct {
	fault            Fault
	lease            time.Duration
	rounds, changes  int
	overlap, excused time.Duration
	tokens, left     int
	diverged         int // rounds in which the servers' data did
	violations       int
	gaps, trials     []time.Duration
	after            []time.Duration // from the fault until the next one led
	notes            notes
	stall, settled   time.Duration // the longest
}

func (w *row) add(rep *history.Report, r *Round) {
	w.rounds++
	w.changes += rep.Changes
	w.overlap, w.excused = max(w.overlap, rep.Overlap), max(w.excused, rep.Excused)
	w.tokens += rep.Count(history.TokenOrder, history.TokenTwice)
	w.left += rep.Count(history.Leftover)
	w.violations += len(rep.Violations)
	w.diverged += number(rep.Diverged != "")
	w.gaps, w.trials = append(w.gaps, rep.Gaps...), append(w.trials, rep.Trials...)
	w.notes.add(r.notes)
	w.after = append(w.after, r.after...)
	w.lease, w.stall = r.lease, max(w.stall, r.stall.max())
	w.settled = max(w.settled, r.settledIn)
}

// percentiles writes p50, p95 and the maximum in units.
func percentiles(all []time.Duration, unit time.Duration, format string) string {
	if len(all) == 0 {
		return "-"
	}
	all = slices.Sorted(slices.Values(all))
	at := func(p float64) string {
		return fmt.Sprintf(format, float64(all[int(math.Ceil(p*float64(len(all))))-1])/float64(unit))
	}
	return at(.5) + " / " + at(.95) + " / " + at(1)
}

// Table is the result of a campaign. It belongs to one goroutine at a time.
type Table struct {
	Title string
	rows  map[string]*row
}

func (t *Table) row(f Fault) *row {
	if t.rows == nil {
		t.rows = map[string]*row{}
	}
	w := t.rows[f.Name]
	if w == nil {
		w = &row{fault: f}
		t.rows[f.Name] = w
	}
	return w
}

// Violations is the number of broken promises.
func (t *Table) Violations() (n int) {
	for _, w := range t.rows {
		n += w.violations
	}
	return n
}

// Rounds is the number of rounds gone through.
func (t *Table) Rounds() (n int) {
	for _, w := range t.rows {
		n += w.rounds
	}
	return n
}

// Write writes the table for people to read.
func (t *Table) Write(out io.Writer) {
	line := func(cells ...any) {
		const format = "%-24s %6v %7v %7v %6v %4v %6v  %-20s  %-18s %-10s  %s"
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf(format, cells...), " "))
	}
	fmt.Fprintln(out, t.Title)
	line("", "", "leader", "overlap", "tokens", "left", "viola-", "without a leader, ms", "fault to next, in D", "", "besides, ms")
	line("fault", "rounds", "changes", "max, ms", "wrong", "over", "tions", "p50 / p95 / max", "p50 / p95 / max", "target", "p50 / p95 / max")
	var stall, settled time.Duration
	for _, w := range slices.SortedFunc(maps.Values(t.rows), func(a, b *row) int { return cmp.Compare(a.fault.Name, b.fault.Name) }) {
		line(w.fault.Name, w.rounds, w.changes, fmt.Sprintf("%.1f", float64(w.overlap)/1e6), w.tokens, w.left,
			w.violations, percentiles(w.gaps, time.Millisecond, "%.0f"), percentiles(w.after, max(1, w.lease), "%.2f"), w.fault.Within, w.besides())
		stall, settled = max(stall, w.stall), max(settled, w.settled)
	}
	fmt.Fprintf(out, "After all had been mended everybody stood in line behind a leader again within %v; the bound is %d T.\n"+
		"A process of this machine that wanted to run had to wait for up to %v.\n",
		settled.Round(time.Millisecond), settleWithin, stall.Round(time.Millisecond))
}

func (w *row) besides() string {
	var all []string
	if len(w.trials) > 0 {
		all = append(all, fmt.Sprintf("%d places, free %.0f or more after the end of their leases", len(w.trials), float64(slices.Min(w.trials))/1e6))
	}
	if w.excused > w.overlap {
		all = append(all, fmt.Sprintf("excused overlap up to %.0f", float64(w.excused)/1e6))
	}
	if w.diverged > 0 {
		all = append(all, fmt.Sprintf("in %d rounds the servers lost data", w.diverged))
	}
	if w.stall > time.Second {
		all = append(all, fmt.Sprintf("the machine stood still for up to %.0f", float64(w.stall)/1e6))
	}
	if notes := w.notes.String(); notes != "" {
		all = append(all, notes)
	}
	return strings.Join(all, "; ")
}
