//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

const head = `| candidates | fault | rounds | rounds with two leaders | two leaders, ms (p50 / max) | changes of leaders | nobody leads meanwhile, ms (p50 / max) |
|---|---|---|---|---|---|---|
`

// row is what the rounds of a fault have shown with candidates of one kind.
type row struct {
	rounds, unfinished int
	overlaps, gaps     []time.Duration // one for each round with two leaders; one for each change of leaders
}

// rows prints a row for each fault whose histories are in a directory. They are kept in one
// directory a round, whose name begins with the fault's number.
func rows(out io.Writer, kind, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "history.jsonl"))
	if err != nil {
		return err
	}
	byFault := map[string]*row{}
	for _, file := range files {
		lines, err := history.ReadFile(file)
		if err != nil {
			return err
		}
		fault, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
		if byFault[fault] == nil {
			byFault[fault] = &row{}
		}
		byFault[fault].add(lines)
	}
	for _, fault := range slices.Sorted(maps.Keys(byFault)) {
		fmt.Fprintf(out, "| %s | %s | %v |\n", kind, fault, byFault[fault])
	}
	return nil
}

func (r *row) add(lines []history.Line) {
	rep := history.Check(lines)
	r.rounds++
	if rep.Count(history.Unfinished) > 0 {
		r.unfinished++
	}
	if both := together(rep, lines); both >= 0 {
		r.overlaps = append(r.overlaps, both)
	}
	r.gaps = append(r.gaps, rep.Gaps...)
}

// together returns for how long two led at one time, negative if they never did. A process that is
// stopped does nothing, whatever its library would say, so what counts of it is the time from when
// it went on to its last beat.
func together(rep *history.Report, lines []history.Line) time.Duration {
	i := slices.IndexFunc(lines, func(l history.Line) bool { return l.Event == "continued" })
	switch {
	case rep.Count(history.Overlap) == 0:
		return -1
	case i < 0:
		return rep.Overlap
	}
	both := time.Duration(-1)
	for _, v := range rep.Violations {
		if v.Kind == history.AfterPause {
			both = max(both, time.Duration(v.T-lines[i].T))
		}
	}
	return both
}

func (r *row) String() string {
	rounds := fmt.Sprint(r.rounds)
	if r.unfinished > 0 {
		rounds += fmt.Sprintf(", %d not gone through", r.unfinished)
	}
	return fmt.Sprintf("%s | %d | %s | %d | %s", rounds, len(r.overlaps), middleAndMost(r.overlaps), len(r.gaps), middleAndMost(r.gaps))
}

// middleAndMost writes the median and the maximum in milliseconds.
func middleAndMost(all []time.Duration) string {
	if len(all) == 0 {
		return "–"
	}
	slices.Sort(all)
	return inMS(all[len(all)/2]) + " / " + inMS(all[len(all)-1])
}

// inMS writes milliseconds, and does not round a beat that came too late to nothing.
func inMS(d time.Duration) string {
	if d > 0 && d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f", float64(d)/1e6)
	}
	return fmt.Sprint(d.Milliseconds())
}
