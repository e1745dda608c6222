package recipehttp

import (
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// term is a stretch of somebody's leadership.
type term struct {
	token  int64
	id     string
	own    bool          // of this process, so that its times and reason are known exactly
	begin  time.Time     // when it began, or was first seen
	before bool          // it had begun before anything was seen
	end    time.Time     // zero while it lasts
	reason recipe.Reason // 0 if not known
}

// history remembers the latest terms of an election, from two sources: the events of own
// candidates, which are exact, and an observer, which sees everybody, a little late.
type history struct {
	size int

	mu    sync.Mutex // guards what follows
	terms []*term    // oldest first
	seen  int64      // token of the leader that was observed last, 0: nobody
	any   bool       // something was observed
}

// record takes an event of an own candidate.
func (h *history) record(ev election.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch ev.Kind {
	case election.EventElected:
		t := h.term(ev.Token, ev.Time)
		t.own, t.id, t.begin, t.before = true, clean(ev.Term.ID(), maxText), ev.Time, false
	case election.EventDeposed:
		if t := h.find(ev.Token); t != nil {
			t.end, t.reason = ev.Time, ev.Reason
		}
	}
}

// observed takes who leads now, as an observer sees it.
func (h *history) observed(l election.Candidate, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := !h.any
	h.any = true
	if l.Token == h.seen {
		return // new data of the same leader
	}
	if t := h.find(h.seen); t != nil && t.end.IsZero() {
		t.end = now
	}
	h.seen = l.Token
	if l.Token == 0 || h.find(l.Token) != nil || h.late(l.Token) {
		return
	}
	t := h.term(l.Token, now)
	t.id, t.before = clean(l.ID, maxText), first
}

// late reports whether a leader is past already: an own candidate leads with a larger
// token, of which the observer has not heard yet.
func (h *history) late(token int64) bool {
	for _, t := range h.terms {
		if t.own && t.end.IsZero() && t.token > token {
			return true
		}
	}
	return false
}

// find returns the term with a token, or nil. The caller holds h.mu, here and below.
func (h *history) find(token int64) *term {
	for _, t := range h.terms {
		if t.token == token {
			return t
		}
	}
	return nil
}

// term returns the term with a token, a new one if need be; the oldest is then forgotten.
func (h *history) term(token int64, begin time.Time) *term {
	if t := h.find(token); t != nil {
		return t
	}
	t := &term{token: token, begin: begin}
	h.terms = append(h.terms, t)
	if len(h.terms) > h.size {
		h.terms = h.terms[1:]
	}
	return t
}

// list returns the terms, the newest first.
func (h *history) list() []term {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]term, 0, len(h.terms))
	for i := len(h.terms) - 1; i >= 0; i-- {
		all = append(all, *h.terms[i])
	}
	return all
}
