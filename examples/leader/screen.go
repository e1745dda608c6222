package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
)

// screen redraws a picture on a terminal.
type screen struct {
	f        *os.File
	color    bool
	glyphs   glyphs
	ensemble string
}

// newScreen returns nil if f is no terminal on which one can draw.
func newScreen(f *os.File, ensemble string) *screen {
	if _, _, ok := terminalSize(f); !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	s := &screen{f: f, color: os.Getenv("NO_COLOR") == "", glyphs: unicode, ensemble: ensemble}
	if !speaksUTF8() {
		s.glyphs = ascii
	}
	return s
}

// speaksUTF8 goes by the locale; where none is set, as in many containers, the
// terminal outside mostly does.
func speaksUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return true
}

const (
	enter = "\x1b[?1049h\x1b[?25l" // the alternate screen, no cursor
	leave = "\x1b[?25h\x1b[?1049l" // back
)

// run draws until ctx ends, then leaves the last picture on the ordinary screen.
func (s *screen) run(ctx context.Context, show *show) {
	fmt.Fprint(s.f, enter)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		// Home, each line with what was right of it erased, and what was below.
		fmt.Fprint(s.f, "\x1b[H"+strings.Join(s.draw(show), "\x1b[K\r\n")+"\x1b[K\x1b[J")
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	fmt.Fprint(s.f, leave)
}

// draw is done under the show's lock, writing is not: a terminal may be slow.
func (s *screen) draw(show *show) []string {
	width, height, _ := terminalSize(s.f)
	show.mu.Lock()
	defer show.mu.Unlock()
	p := picture{glyphs: s.glyphs, h: show.history, now: candidate.Monotonic(), width: min(width, 110), height: height, ensemble: s.ensemble}
	var lines []string
	for _, l := range p.lines() {
		lines = append(lines, l.render(width, s.color))
	}
	return lines
}

// plain writes a line for each thing that happens, and now and then how things stand.
type plain struct{ w io.Writer }

func (p plain) log(since int64, text string) {
	fmt.Fprintf(p.w, "%7.3f s  %s\n", time.Duration(since).Seconds(), text)
}

func (p plain) run(ctx context.Context, show *show) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			show.mu.Lock()
			now := candidate.Monotonic()
			p.log(now-show.history.begin, show.history.standing(now))
			show.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// standing says in one line who leads, who is heir, and how the lease stands.
func (h *history) standing(now int64) string {
	var parts []string
	for _, m := range h.members {
		t := h.termOf(m.id)
		switch s := m.state(); {
		case s == leading || s == paused || s == killed:
			word := map[state]string{leading: "leads", paused: "paused", killed: "killed"}[s]
			lease := "over"
			if left := t.deadline - now; left > 0 {
				lease = short(left)
			}
			parts = append(parts, fmt.Sprintf("%s %s, token %d, lease %s", m.id, word, t.token, lease))
		case m.heir:
			parts = append(parts, m.id+" is heir")
		case s == inLine:
			parts = append(parts, m.id+" waits")
		default:
			parts = append(parts, m.id+" is out")
		}
	}
	return "  [" + strings.Join(parts, "; ") + "]"
}

// summary is what is left to say at the end.
func (h *history) summary(w io.Writer) {
	fmt.Fprintf(w, "\nThe leadership changed %d times:\n", len(h.changes()))
	for _, c := range h.changes() {
		fmt.Fprintf(w, "  %-6s %-14s then %-6s led; nobody led for %s\n", c.from.id, c.how(), c.to.id, short(c.gap))
	}
	if problems := h.problems(); len(problems) > 0 {
		fmt.Fprintf(w, "TWO LEADERS AT ONCE:\n  %s\n", strings.Join(problems, "\n  "))
		return
	}
	fmt.Fprintf(w, "Two leaders at once: never, in %s.\n", h.seen())
}
