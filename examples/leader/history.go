package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

// state says in a word what a candidate does.
type state string

const (
	away    state = "joins" // not in line yet, or not any more
	waiting state = "waits"
	heir    state = "is heir"
	leading state = "leads"  // between "elected" and "deposed"
	paused  state = "paused" // by SIGSTOP, while it led
	killed  state = "killed" // while it led
)

// member is one of the candidates.
type member struct {
	id    string
	state state
	term  *term // the latest, or nil
}

// standing says in words how a candidate stands.
func (m *member) standing(now int64) string {
	text := string(m.state)
	switch m.state {
	case leading, paused, killed:
		lease := "over"
		if left := m.term.deadline - now; left > 0 {
			lease = short(left).String()
		}
		text += fmt.Sprintf(", token %d, lease %s", m.term.token, lease)
	}
	return text
}

// term is one stretch of leadership, as far as beats prove it.
type term struct {
	id       string
	token    int64
	from, to int64  // "elected", and the last beat
	deadline int64  // of the lease, as told last
	deposed  int64  // 0 until the candidate itself has said so
	reason   string // that it gave
	ending   string // what the show did to end it, "" if nothing
}

// history is what the lines of all candidates amount to. It is not safe for concurrent use.
type history struct {
	begin   int64
	about   string // the ensemble
	members []*member
	terms   []*term // in order of their tokens
	beats   int
	latest  string // what was told last
	log     func(format string, args ...any)
}

func newHistory(begin int64) *history {
	h := &history{begin: begin, log: func(string, ...any) {}}
	for _, id := range names {
		h.members = append(h.members, &member{id: id, state: away})
	}
	return h
}

func (h *history) member(id string) *member {
	return h.members[slices.IndexFunc(h.members, func(m *member) bool { return m.id == id })]
}

// leader returns the present leader's term, and nil when nobody leads as far as is known.
func (h *history) leader() *term {
	if n := len(h.terms); n > 0 && h.member(h.terms[n-1].id).state == leading {
		return h.terms[n-1]
	}
	return nil
}

// settled reports whether one leads, one is heir and everybody else waits.
func (h *history) settled() bool {
	count := map[state]int{}
	for _, m := range h.members {
		count[m.state]++
	}
	return count[leading] == 1 && count[heir] == 1 && count[waiting] == len(h.members)-2
}

// add takes in a line, and logs it in words.
func (h *history) add(l lines.Line) {
	m := h.member(l.ID)
	switch l.Event {
	case "session":
		h.log("%s has session %s", l.ID, l.Session)
	case "joined":
		m.state = waiting
		h.log("%s is in line, %d ahead", l.ID, l.Position)
	case "heir":
		m.state = heir
		h.log("%s is heir", l.ID)
	case "takeover":
		h.log("%s has taken over: the one ahead was silent", l.ID)
	case "elected":
		h.leads(m, l)
		m.state = leading
		h.log("%s LEADS with token %d", l.ID, l.Token)
	case "beat":
		h.leads(m, l)
		h.beats++
	case "suspended":
		h.say("%s has lost its connection", l.ID)
	case "deposed":
		m.term.deposed, m.term.reason = l.T, l.Reason
		m.state = away
		h.log("%s is deposed: %s", l.ID, l.Reason)
	case "left":
		m.state = away
	case "error":
		h.say("%s: %s", l.ID, l.Error)
	}
}

// say tells what happens.
func (h *history) say(format string, args ...any) {
	h.latest = fmt.Sprintf(format, args...)
	h.log("%s", h.latest)
}

// leads takes in a proof that m led at l.T.
func (h *history) leads(m *member, l lines.Line) {
	if m.term == nil || m.term.token != l.Token {
		m.term = &term{id: l.ID, token: l.Token, from: l.T}
		h.terms = append(h.terms, m.term)
		slices.SortStableFunc(h.terms, func(a, b *term) int { return cmp.Compare(a.token, b.token) })
	}
	m.term.to, m.term.deadline = l.T, l.Deadline
}

// verdict says whether there were ever two leaders; sound means that there were not. With terms in
// order of tokens it is enough to look at neighbours.
func (h *history) verdict() (text string, sound bool) {
	var found []string
	for _, c := range h.changes() {
		if c.from.token == c.to.token || c.from.to >= c.to.from {
			found = append(found, fmt.Sprintf("%s (token %d) still led %v after %s (token %d) began",
				c.from.id, c.from.token, short(c.from.to-c.to.from), c.to.id, c.to.token))
		}
	}
	if len(found) > 0 {
		return "TWO LEADERS AT ONCE: " + strings.Join(found, "; "), false
	}
	return fmt.Sprintf("Two leaders at once: never (terms: %d, beats: %d).", len(h.terms), h.beats), true
}

// change is a leadership that went from one term to the next.
type change struct {
	from, to *term
	gap      int64 // how long nobody led
}

func (h *history) changes() (all []change) {
	for i := 1; i < len(h.terms); i++ {
		a, b := h.terms[i-1], h.terms[i]
		// A leader that has told in time that it was deposed led until then. Any other led until
		// its last beat. After a pause its line comes too late. Its line may also come a little
		// late because the next leader does not wait until the line is written.
		end := a.to
		if a.deposed != 0 && a.deposed < b.from {
			end = a.deposed
		}
		all = append(all, change{a, b, max(0, b.from-end)})
	}
	return all
}

// String says how the leadership ended, and who led then.
func (c change) String() string {
	how := cmp.Or(c.from.ending, c.from.reason, "unknown")
	return fmt.Sprintf("%-6s %-14s then %-6s led; nobody led for %v", c.from.id, how, c.to.id, short(c.gap))
}

// conclude writes the summary at the end. It returns an error if the show has failed.
func (h *history) conclude() error {
	if len(h.terms) == 0 {
		return errors.New("nobody was elected")
	}
	fmt.Fprintf(example.Stdout, "\nHow the leadership changed (%d times):\n", len(h.changes()))
	for _, c := range h.changes() {
		fmt.Fprintln(example.Stdout, " ", c)
	}
	text, sound := h.verdict()
	fmt.Fprintln(example.Stdout, text)
	if !sound {
		return errors.New("two candidates led at one time")
	}
	return nil
}

// short is a time for reading.
func short(ns int64) time.Duration { return time.Duration(ns).Round(time.Millisecond / 10) }
