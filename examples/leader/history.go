package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
)

// state is what the picture shows of a candidate.
type state int

const (
	away    state = iota // not in line
	inLine               // waiting, or heir
	leading              // between "elected" and "deposed"
	paused               // stopped by SIGSTOP
	killed               // no process
)

// mark says that a candidate has been in a state since T.
type mark struct {
	t     int64
	state state
}

// member is one of the candidates.
type member struct {
	id        string
	past      []mark // in order of time; the last one is the present
	heir      bool
	suspended bool
}

func (m *member) state() state { return m.past[len(m.past)-1].state }

// enter notes a new state. A line that comes late, from a process that has been killed
// meanwhile, changes nothing.
func (m *member) enter(t int64, s state) {
	if t < m.past[len(m.past)-1].t {
		return
	}
	m.heir, m.suspended = false, false
	m.past = append(m.past, mark{t, s})
}

// at returns the state at an instant.
func (m *member) at(t int64) state {
	for _, k := range slices.Backward(m.past) {
		if k.t <= t {
			return k.state
		}
	}
	return away
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
	beats    int
}

// endBefore returns when the term's leader stopped leading for certain: by its own word,
// if that came in time, or by its last beat. After a pause the word comes late; and it may
// come a little late because the leadership need not wait for the line to be written.
func (t *term) endBefore(next int64) int64 {
	if t.deposed != 0 && t.deposed < next {
		return t.deposed
	}
	return t.to
}

// history is what the lines of all candidates amount to. It is not safe for concurrent
// use.
type history struct {
	begin   int64
	members []*member
	terms   []*term       // in order of their tokens
	timeout time.Duration // of the sessions
	lease   time.Duration // how long one lasts
	now     string        // what the show is doing
	trouble string        // what a candidate that is not in line complains of
	strange []string      // what terms cannot express
}

func newHistory(now int64, ids ...string) *history {
	h := &history{begin: now}
	for _, id := range ids {
		h.members = append(h.members, &member{id: id, past: []mark{{now, away}}})
	}
	return h
}

func (h *history) member(id string) *member {
	for _, m := range h.members {
		if m.id == id {
			return m
		}
	}
	panic("bug: no candidate " + id)
}

// leader returns the present leader's term, and nil when nobody leads as far as is known.
func (h *history) leader() *term {
	if len(h.terms) == 0 {
		return nil
	}
	t := h.terms[len(h.terms)-1]
	if h.member(t.id).state() != leading {
		return nil
	}
	return t
}

// termOf returns the latest term of a candidate, or nil.
func (h *history) termOf(id string) *term {
	for _, t := range slices.Backward(h.terms) {
		if t.id == id {
			return t
		}
	}
	return nil
}

// newest returns the highest token seen.
func (h *history) newest() int64 {
	if len(h.terms) == 0 {
		return 0
	}
	return h.terms[len(h.terms)-1].token
}

// settled reports whether one leads, one is heir and everybody else is in line.
func (h *history) settled() bool {
	heirs, standing := 0, 0
	for _, m := range h.members {
		if m.heir {
			heirs++
		}
		if s := m.state(); s == inLine || s == leading {
			standing++
		}
	}
	return h.leader() != nil && heirs == 1 && standing == len(h.members)
}

// add takes in a line and returns it in words, "" if it is not worth any.
func (h *history) add(l candidate.Line) string {
	m := h.member(l.ID)
	switch l.Event {
	case "session":
		m.suspended, h.trouble = false, ""
		h.timeout, h.lease = time.Duration(l.TimeoutMS)*time.Millisecond, time.Duration(l.LeaseMS)*time.Millisecond
		return fmt.Sprintf("%s has session %s", l.ID, l.Session)
	case "joined":
		m.enter(l.T, inLine)
		return fmt.Sprintf("%s is in line, %d ahead", l.ID, l.Position)
	case "heir":
		m.heir = true
		return fmt.Sprintf("%s is heir", l.ID)
	case "takeover":
		return fmt.Sprintf("%s has taken over: the one ahead was silent", l.ID)
	case "elected", "beat":
		return h.leads(m, l)
	case "suspended":
		m.suspended = true
		return fmt.Sprintf("%s has lost its connection", l.ID)
	case "deposed":
		if t := h.find(l.Token); t != nil {
			t.deposed, t.reason = l.T, l.Reason
		}
		m.enter(l.T, away)
		return fmt.Sprintf("%s is deposed: %s", l.ID, l.Reason)
	case "left":
		m.enter(l.T, away)
	case "error":
		h.trouble = fmt.Sprintf("%s: %s", l.ID, l.Error)
		return h.trouble
	}
	return ""
}

func (h *history) find(token int64) *term {
	i, ok := slices.BinarySearchFunc(h.terms, token, byToken)
	if !ok {
		return nil
	}
	return h.terms[i]
}

func byToken(t *term, token int64) int { return int(min(1, max(-1, t.token-token))) }

// leads takes in a proof that m led at l.T.
func (h *history) leads(m *member, l candidate.Line) string {
	i, ok := slices.BinarySearchFunc(h.terms, l.Token, byToken)
	if !ok {
		h.terms = slices.Insert(h.terms, i, &term{id: l.ID, token: l.Token, from: l.T})
	}
	t := h.terms[i]
	if t.id != l.ID {
		h.strange = append(h.strange, fmt.Sprintf("%s and %s have the same token %d", t.id, l.ID, l.Token))
	}
	t.to, t.deadline = l.T, l.Deadline
	if l.Event == "beat" {
		t.beats++
		return ""
	}
	m.enter(l.T, leading)
	return fmt.Sprintf("%s LEADS with token %d", l.ID, l.Token)
}

// problems returns what must never be: two leaders at one time. With terms in order of
// tokens it is enough to look at neighbours.
func (h *history) problems() []string {
	found := slices.Clone(h.strange)
	for i := 1; i < len(h.terms); i++ {
		a, b := h.terms[i-1], h.terms[i]
		if a.to >= b.from {
			found = append(found, fmt.Sprintf("%s (token %d) still led %s after %s (token %d) began",
				a.id, a.token, short(a.to-b.from), b.id, b.token))
		}
	}
	return found
}

// ledBy returns who led at an instant, "" if nobody.
func (h *history) ledBy(at int64) string {
	for _, t := range slices.Backward(h.terms) {
		if t.from <= at {
			// Between two beats a leader leads as well.
			if at <= t.to+int64(2*beat) {
				return t.id
			}
			return ""
		}
	}
	return ""
}

// change is a leadership that went from one to another.
type change struct {
	from, to *term
	gap      int64 // how long nobody led
}

func (h *history) changes() []change {
	var all []change
	for i := 1; i < len(h.terms); i++ {
		a, b := h.terms[i-1], h.terms[i]
		all = append(all, change{a, b, max(0, b.from-a.endBefore(b.from))})
	}
	return all
}

// how says in a few words how the leadership came to an end.
func (c change) how() string {
	if c.from.ending != "" {
		return c.from.ending
	}
	if c.from.reason != "" {
		return c.from.reason
	}
	return "unknown"
}

func (h *history) beats() (n int) {
	for _, t := range h.terms {
		n += t.beats
	}
	return n
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
