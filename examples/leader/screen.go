package main

import (
	"context"
	"fmt"
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

// run draws until ctx ends.
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
