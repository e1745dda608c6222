package main

import (
	"fmt"
	"strings"
	"time"
)

// window is how much of the past the picture shows.
const window = 12 * time.Second

// glyphs are the characters the picture is made of.
type glyphs struct {
	full, empty, led, line, paused, killed, nobody, here, arrow string
}

var (
	unicode = glyphs{"█", "░", "█", "─", "▒", "✕", "▪", "●", "→"}
	ascii   = glyphs{"#", ".", "#", "-", "z", "x", "!", "*", "->"}
)

// hues gives each candidate a color of its own.
var hues = map[string]style{"alice": "36", "bob": "33", "carol": "35"}

// picture draws a history at an instant.
type picture struct {
	glyphs
	h             *history
	now           int64
	width, height int
	ensemble      string
}

// lines returns the picture, no taller than height. The less important parts give way.
func (p picture) lines() []line {
	lines := p.title()
	lines = append(lines, p.standing()...)
	lines = append(lines, nil)
	for _, text := range wrap("> "+p.h.now, p.width) {
		lines = append(lines, row(bold, text))
	}
	for _, text := range wrap(p.h.trouble, p.width) {
		lines = append(lines, row(red, text))
	}
	verdict := p.verdict()
	if timeline := p.timeline(); p.height >= len(lines)+len(timeline)+2 {
		lines = append(append(lines, nil), timeline...)
	}
	if changes := p.changes(p.height - len(lines) - 4); len(changes) > 0 {
		lines = append(append(lines, nil), changes...)
	}
	if p.height > len(lines)+1 {
		lines = append(lines, nil)
	}
	return append(lines[:min(len(lines), max(0, p.height-1))], verdict)
}

func (p picture) title() []line {
	clock := fmt.Sprintf("%5.1f s", time.Duration(p.now-p.h.begin).Seconds())
	head := pad("Three candidates, one leader", p.width-len(clock)) + clock
	about := "ZooKeeper: " + p.ensemble
	if p.h.timeout != 0 {
		about += fmt.Sprintf(", session timeout %v, lease %v", p.h.timeout, p.h.lease)
	}
	return []line{row(bold, head), row(dim, about), nil}
}

// standing says who leads, who is heir, and how long the lease runs.
func (p picture) standing() []line {
	var lines []line
	for _, m := range p.h.members {
		hue := hues[m.id]
		t := p.h.termOf(m.id)
		switch m.state() {
		case leading:
			lines = append(lines, append(row(style("1;"+string(hue)), p.name(m, p.here)+"LEADS   "), p.lease(t, hue)...))
		case paused:
			lines = append(lines, append(row(warm, p.name(m, p.paused)+"PAUSED  "), p.lease(t, warm)...))
		case killed:
			lines = append(lines, append(row(red, p.name(m, p.killed)+"KILLED  "), p.lease(t, red)...))
		default:
			lines = append(lines, row(hue, p.name(m, " "), normal, p.doing(m)))
		}
	}
	return lines
}

func (p picture) name(m *member, sign string) string {
	return fmt.Sprintf(" %s %-7s", sign, m.id)
}

// doing says what a candidate does that does not lead.
func (p picture) doing(m *member) string {
	text := "joins"
	switch {
	case m.heir:
		text = "heir    leads as soon as the one ahead resigns, or its lease is over"
	case m.state() == inLine:
		text = "waits   in line"
	}
	if m.suspended {
		text += ", connection lost"
	}
	return text
}

// lease shows the token and how much of the lease still runs.
func (p picture) lease(t *term, hue style) line {
	if t == nil {
		return nil
	}
	left := t.deadline - p.now
	token := fmt.Sprintf("token %-12d", t.token)
	if left <= 0 {
		return row(normal, token, red, "lease over for "+short(-left))
	}
	room := min(24, p.width-52)
	if room < 6 {
		return row(normal, token, hue, "lease "+short(left))
	}
	cells := int(left * int64(room) / max(1, int64(p.h.lease)))
	bar := strings.Repeat(p.full, min(room, max(1, cells)))
	return row(normal, token+"lease ", hue, bar, dim, strings.Repeat(p.empty, max(0, room-cells)), normal, fmt.Sprintf(" %7s", short(left)))
}

// timeline shows who led when: one column is one instant, so no column can have two.
func (p picture) timeline() []line {
	const label = 10
	cells := max(10, p.width-label-1)
	lines := []line{row(dim, pad("", label)+p.scale(cells))}
	for _, m := range p.h.members {
		lines = append(lines, append(row(hues[m.id], "   "+pad(m.id, label-3)), p.track(cells, func(at int64) (style, string) {
			return p.cell(m, at)
		})...))
	}
	lines = append(lines, append(row(dim, "   "+pad("nobody", label-3)), p.track(cells, func(at int64) (style, string) {
		if p.h.ledBy(at) != "" {
			return normal, " "
		}
		return red, p.nobody
	})...))
	return lines
}

// scale is the line above the tracks: from when to when, and what the signs mean.
func (p picture) scale(cells int) string {
	first := fmt.Sprintf("%v ago", window)
	legend := fmt.Sprintf("%s leads  %s in line  %s killed  %s paused", p.led, p.line, p.killed, p.paused)
	space := cells - len(first) - len("now")
	if side := (space - len([]rune(legend))) / 2; side >= 2 {
		return first + pad(strings.Repeat(" ", side)+legend, space) + "now"
	}
	return first + pad("", space) + "now"
}

// track asks for the look of each instant. Columns stand for fixed instants, so that
// the picture moves by whole columns and does not flicker.
func (p picture) track(cells int, look func(at int64) (style, string)) line {
	var l line
	step := int64(window) / int64(cells)
	last := p.now / step
	for i := last - int64(cells); i < last; i++ {
		if at := i*step + step/2; at < p.h.begin {
			l = append(l, span{normal, " "})
		} else {
			s, text := look(at)
			l = append(l, span{s, text})
		}
	}
	return l
}

func (p picture) cell(m *member, at int64) (style, string) {
	switch s := m.at(at); {
	case p.h.ledBy(at) == m.id:
		return hues[m.id], p.led
	case s == paused:
		return warm, p.paused
	case s == killed:
		return red, p.killed
	case s == inLine:
		return dim, p.line
	}
	return normal, " "
}

// changes lists the last n changes of leader, if there is room for any.
func (p picture) changes(n int) []line {
	all := p.h.changes()
	var lines []line
	for _, c := range all[max(0, len(all)-max(0, n)):] {
		lines = append(lines, row(normal, "   ", hues[c.from.id], pad(c.from.id, 6), normal, pad(c.how(), 14),
			dim, p.arrow+" ", hues[c.to.id], pad(c.to.id, 6), normal, fmt.Sprintf("nobody led for %7s", short(c.gap))))
	}
	return lines
}

// verdict says whether there were ever two leaders.
func (p picture) verdict() line {
	if problems := p.h.problems(); len(problems) > 0 {
		return row(alarm, "   TWO LEADERS: "+problems[0])
	}
	return row(good, fmt.Sprintf("   Two leaders at once: never (%s)", p.h.seen()))
}

// seen says what a verdict is based on.
func (h *history) seen() string {
	return fmt.Sprintf("terms: %d, beats: %d", len(h.terms), h.beats())
}
