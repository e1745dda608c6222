package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/demo"
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
	id        string
	state     state
	suspended bool
	term      *term // the latest, or nil
}

func (m *member) enter(s state) { m.state, m.suspended = s, false }

// standing says in words how a candidate stands.
func (m *member) standing(now int64) string {
	text := string(m.state)
	switch m.state {
	case leading, paused, killed:
		lease := "over"
		if left := m.term.deadline - now; left > 0 {
			lease = short(left)
		}
		text += fmt.Sprintf(", token %d, lease %s", m.term.token, lease)
	}
	if m.suspended {
		text += ", connection lost"
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

// history is what the lines of all candidates amount to. It is not safe for concurrent
// use.
type history struct {
	begin   int64
	about   string // the ensemble
	members []*member
	terms   []*term // in order of their tokens
	beats   int
	strange []string // errors that terms cannot hold
	latest  string   // what the show has said
	trouble string   // the error of a candidate without a session
	log     func(at int64, text string)
}

func newHistory(begin int64) *history {
	h := &history{begin: begin, log: func(int64, string) {}}
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
	if len(h.terms) == 0 {
		return nil
	}
	t := h.terms[len(h.terms)-1]
	if h.member(t.id).state != leading {
		return nil
	}
	return t
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
func (h *history) add(l candidate.Line) {
	m := h.member(l.ID)
	log := func(format string, args ...any) { h.log(l.T, l.ID+" "+fmt.Sprintf(format, args...)) }
	switch l.Event {
	case "session":
		m.suspended, h.trouble = false, ""
		log("has session %s", l.Session)
	case "joined":
		m.enter(waiting)
		log("is in line, %d ahead", l.Position)
	case "heir":
		m.enter(heir)
		log("is heir")
	case "takeover":
		log("has taken over: the one ahead was silent")
	case "elected":
		h.leads(m, l)
		m.enter(leading)
		log("LEADS with token %d", l.Token)
	case "beat":
		h.leads(m, l)
		h.beats++
	case "suspended":
		m.suspended = true
		log("has lost its connection")
	case "deposed":
		m.term.deposed, m.term.reason = l.T, l.Reason
		m.enter(away)
		log("is deposed: %s", l.Reason)
	case "left":
		m.enter(away)
	case "error":
		h.trouble = l.ID + ": " + l.Error
		h.log(l.T, h.trouble)
	}
}

// leads takes in a proof that m led at l.T.
func (h *history) leads(m *member, l candidate.Line) {
	i, found := slices.BinarySearchFunc(h.terms, l.Token, func(t *term, token int64) int { return cmp.Compare(t.token, token) })
	if !found {
		h.terms = slices.Insert(h.terms, i, &term{id: l.ID, token: l.Token, from: l.T})
	}
	m.term = h.terms[i]
	if m.term.id != l.ID {
		h.strange = append(h.strange, fmt.Sprintf("%s and %s have the same token %d", m.term.id, l.ID, l.Token))
	}
	m.term.to, m.term.deadline = l.T, l.Deadline
}

// problems returns what must never be: two leaders at one time. With terms in order of
// tokens it is enough to look at neighbours.
func (h *history) problems() []string {
	found := slices.Clone(h.strange)
	for _, c := range h.changes() {
		if c.from.to >= c.to.from {
			found = append(found, fmt.Sprintf("%s (token %d) still led %s after %s (token %d) began",
				c.from.id, c.from.token, short(c.from.to-c.to.from), c.to.id, c.to.token))
		}
	}
	return found
}

// verdict says whether there were ever two leaders; sound means that there were not.
func (h *history) verdict() (text string, sound bool) {
	if problems := h.problems(); len(problems) > 0 {
		return "TWO LEADERS AT ONCE: " + strings.Join(problems, "; "), false
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
		// A leader that has told in time that it was deposed led until then. Any other led until its last
		// beat. After a pause its line comes too late. Its line may also come a little late because the
		// next leader does not wait until the line is written.
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
	return fmt.Sprintf("%-6s %-14s then %-6s led; nobody led for %s", c.from.id, how, c.to.id, short(c.gap))
}

// conclude writes the summary at the end. It returns an error if the show has failed.
func (h *history) conclude() error {
	if len(h.terms) == 0 {
		return errors.New("nobody was elected")
	}
	fmt.Fprintf(demo.Stdout, "\nHow the leadership changed (%d times):\n", len(h.changes()))
	for _, c := range h.changes() {
		fmt.Fprintln(demo.Stdout, " ", c)
	}
	text, sound := h.verdict()
	fmt.Fprintln(demo.Stdout, text)
	if !sound {
		return errors.New("two candidates led at one time")
	}
	return nil
}

// short writes a time for reading.
func short(ns int64) string {
	switch d := time.Duration(ns); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}
