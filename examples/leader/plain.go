package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
)

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
	if len(h.terms) == 0 {
		return
	}
	fmt.Fprintf(w, "\nHow the leadership changed (%d times):\n", len(h.changes()))
	for _, c := range h.changes() {
		fmt.Fprintf(w, "  %-6s %-14s then %-6s led; nobody led for %s\n", c.from.id, c.how(), c.to.id, short(c.gap))
	}
	if problems := h.problems(); len(problems) > 0 {
		fmt.Fprintf(w, "TWO LEADERS AT ONCE:\n  %s\n", strings.Join(problems, "\n  "))
		return
	}
	fmt.Fprintf(w, "Two leaders at once: never (%s).\n", h.seen())
}
