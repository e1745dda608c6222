package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
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
	fmt.Fprint(example.Stdout, enter)
	for example.Sleep(ctx, every) == nil {
		var frame []string
		s.Do(func() { frame = p.frame(lines.Now()) })
		fmt.Fprint(example.Stdout, home+strings.Join(frame, next)+end)
	}
	fmt.Fprint(example.Stdout, leave)
}

// picture shows the history each time that frame is called.
type picture struct {
	h       *history
	lease   time.Duration
	colored bool
	past    [][]string // the columns of the timeline, each from top to bottom
}

// frame returns the lines of the picture.
func (p *picture) frame(now int64) []string {
	clock := fmt.Sprintf("%5.1f s", time.Duration(now-p.h.begin).Seconds())
	frame := []string{p.paint(bold, fmt.Sprintf("%-72s", "Three candidates, one leader")) + clock, p.paint(dim, p.h.about), ""}
	for _, m := range p.h.members {
		frame = append(frame, p.standing(m, now))
	}
	frame = append(frame, "", p.paint(bold, p.h.latest), "")
	frame = append(frame, p.timeline()...)
	frame = append(frame, "")
	all := p.h.changes()
	for _, c := range all[max(0, len(all)-listed):] {
		frame = append(frame, "   "+c.String())
	}
	text, sound := p.h.verdict()
	color := green
	if !sound {
		color = red
	}
	return append(frame, "", p.paint(color, "   "+text))
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
	nobody := " "
	if p.h.leader() == nil {
		nobody = p.paint(red, "▪")
	}
	p.past = append(p.past[max(0, len(p.past)+1-columns):], append(column, nobody))
	rows := []string{p.paint(dim, fmt.Sprintf("%10s%s", "", "█ leads  ─ in line  ✕ killed  ▒ paused"))}
	for i, label := range append(names[:len(names):len(names)], "nobody") {
		line := fmt.Sprintf("   %-7s", label)
		for _, column := range p.past {
			line += column[i]
		}
		rows = append(rows, line)
	}
	return rows
}

func (p *picture) paint(color, text string) string {
	if !p.colored {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
