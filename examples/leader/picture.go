package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/demo"
)

// The picture has 80 columns and at most 24 lines. A terminal cuts what it has no room for.
const (
	barWidth = 24
	columns  = 69               // of the timeline
	every    = time.Second / 10 // what a column stands for
	listed   = 6                // changes
)

// Colors, as parameters of the terminal's SGR sequence.
const dim, bold, red, green, yellow = "2", "1", "31", "32", "33"

// looks says how each state is drawn.
var looks = map[state]struct{ color, sign string }{
	away: {dim, " "}, waiting: {dim, "─"}, heir: {dim, "─"},
	leading: {green, "█"}, paused: {yellow, "▒"}, killed: {red, "✕"},
}

// canDraw reports whether f is a terminal on which one can draw.
func canDraw(f *os.File) bool {
	info, err := f.Stat()
	term := os.Getenv("TERM")
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && term != "" && term != "dumb"
}

// draw draws the picture on a terminal until ctx ends.
func (s *show) draw(ctx context.Context, lease time.Duration) {
	const (
		enter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the alternate screen, without cursor and line breaks
		leave = "\x1b[?7h\x1b[?25h\x1b[?1049l" // back
		home  = "\x1b[H"
		next  = "\x1b[K\x1b[E" // erases the rest of the line; does not scroll
		end   = "\x1b[K\x1b[J"
	)
	p := &picture{h: s.history, lease: lease, colored: os.Getenv("NO_COLOR") == ""}
	fmt.Fprint(demo.Stdout, enter)
	for demo.Sleep(ctx, every) == nil {
		var lines []string
		s.Do(func() { lines = p.lines(candidate.Monotonic()) })
		fmt.Fprint(demo.Stdout, home+strings.Join(lines, next)+end)
	}
	fmt.Fprint(demo.Stdout, leave)
}

// picture shows the history each time that lines is called.
type picture struct {
	h       *history
	lease   time.Duration
	colored bool
	past    [][]string // the columns of the timeline, each from top to bottom
}

func (p *picture) lines(now int64) []string {
	clock := fmt.Sprintf("%5.1f s", time.Duration(now-p.h.begin).Seconds())
	lines := []string{p.paint(bold, fmt.Sprintf("%-72s", "Three candidates, one leader")) + clock, p.paint(dim, p.h.about), ""}
	for _, m := range p.h.members {
		lines = append(lines, p.standing(m, now))
	}
	lines = append(lines, "", p.paint(bold, p.h.latest), p.paint(red, p.h.trouble), "")
	lines = append(lines, p.timeline()...)
	lines = append(lines, "")
	all := p.h.changes()
	for _, c := range all[max(0, len(all)-listed):] {
		lines = append(lines, "   "+c.String())
	}
	text, sound := p.h.verdict()
	color := green
	if !sound {
		color = red
	}
	return append(lines, "", p.paint(color, "   "+text))
}

// standing says how a candidate stands, with a bar that shows how much of its lease remains.
func (p *picture) standing(m *member, now int64) string {
	look := looks[m.state]
	text := p.paint(look.color, fmt.Sprintf(" %s %-7s %-42s", look.sign, m.id, m.standing(now)))
	switch m.state {
	case leading, paused, killed:
		left := min(barWidth, max(0, (m.term.deadline-now)*barWidth/int64(p.lease)))
		text += p.paint(look.color, strings.Repeat("█", int(left))) + p.paint(dim, strings.Repeat("░", barWidth-int(left)))
	}
	return text
}

// timeline shows who led when. It has one more column each time.
func (p *picture) timeline() []string {
	var column []string
	for _, m := range p.h.members {
		look := looks[m.state]
		column = append(column, p.paint(look.color, look.sign))
	}
	if p.h.leader() == nil {
		column = append(column, p.paint(red, "▪"))
	} else {
		column = append(column, " ")
	}
	p.past = append(p.past[max(0, len(p.past)+1-columns):], column)
	lines := []string{p.paint(dim, fmt.Sprintf("%10s%s", "", "█ leads  ─ in line  ✕ killed  ▒ paused"))}
	for i, label := range append(names[:len(names):len(names)], "nobody") {
		line := fmt.Sprintf("   %-7s", label)
		for _, column := range p.past {
			line += column[i]
		}
		lines = append(lines, line)
	}
	return lines
}

func (p *picture) paint(color, text string) string {
	if !p.colored {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
