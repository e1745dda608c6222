package recipehttp

import (
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// term is one period in which somebody leads.
type term struct {
	node   string // its znode
	token  int64  // 0: hidden
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

	mu    sync.Mutex         // guards what follows
	terms []*term            // oldest first
	seen  election.Candidate // the leader that was observed last
	any   bool               // something was observed
}

// record takes an event of an own candidate.
func (h *history) record(ev election.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch ev.Kind {
	case election.EventElected:
		h.own(ev.Term.Node(), ev.Token, ev.Term.ID(), ev.Time)
	case election.EventDeposed:
		if t := h.find("", ev.Token); t != nil {
			t.end, t.reason = ev.Time, ev.Reason
		}
	}
}

// own begins a term of an own candidate. Nobody else leads from then on, although the observer may
// hear later that the leader before has gone. The caller holds h.mu, here and below.
func (h *history) own(node string, token int64, id string, begin time.Time) {
	t := h.term(node, token, begin)
	t.own, t.token, t.id, t.begin, t.before = true, token, clean(id, maxText), begin, false
	for _, older := range h.terms {
		if older != t && !older.own && older.end.IsZero() && (older.token == 0 || older.token < token) {
			older.end = begin
		}
	}
}

// observed notes who leads now, as an observer sees it.
func (h *history) observed(l election.Candidate, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, seen := !h.any, h.seen
	h.any, h.seen = true, l
	if l.Node == seen.Node && l.Token == seen.Token {
		return // new data of the same leader
	}
	t := h.find(l.Node, l.Token)
	if old := h.find(seen.Node, seen.Token); old != nil && old != t && old.end.IsZero() {
		old.end = now
	}
	switch {
	case l.Node == "" || t == nil && h.late(l.Token):
	case t == nil:
		t = h.term(l.Node, l.Token, now)
		t.id, t.before = clean(l.ID, maxText), first
	case t.token == 0: // it may be read now
		t.token, t.id = l.Token, clean(l.ID, maxText)
	}
}

// late reports whether a leader is not the present one any more: an own candidate leads with a
// larger token, and the observer has not heard of it yet. If the leader is hidden, nobody can tell
// that.
func (h *history) late(token int64) bool {
	for _, t := range h.terms {
		if token != 0 && t.own && t.end.IsZero() && t.token > token {
			return true
		}
	}
	return false
}

// find returns the term with a token, or nil. The token tells it from other terms on a znode of the
// same path. If the token is not known, because the leader is or was hidden, find returns the
// latest term on the znode.
func (h *history) find(node string, token int64) *term {
	for _, t := range slices.Backward(h.terms) {
		if t.token == token && token != 0 || t.node == node && (t.token == 0 || token == 0) {
			return t
		}
	}
	return nil
}

// term returns the term that find returns, or a new one if there is none. If there are too many
// terms then, the oldest is forgotten.
func (h *history) term(node string, token int64, begin time.Time) *term {
	if t := h.find(node, token); t != nil {
		return t
	}
	t := &term{node: node, token: token, begin: begin}
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
