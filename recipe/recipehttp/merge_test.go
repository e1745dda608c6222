package recipehttp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// who is a candidate whose znode was created at that zxid.
func who(token int64) election.Candidate {
	return election.Candidate{Node: fmt.Sprintf("/e/%d", token), Token: token}
}

// hidden is the same one, whose znode there is no permission to read.
func hidden(token int64) election.Candidate {
	return election.Candidate{Node: who(token).Node, Hidden: true}
}

func candidates(tokens ...int64) (all []election.Candidate) {
	for _, token := range tokens {
		all = append(all, who(token))
	}
	return all
}

// The line and the leader are read apart: either may be the older one.
func TestLineAndLeaderAreMadeToAgree(t *testing.T) {
	for _, test := range []struct {
		name   string
		leader election.Candidate
		line   []election.Candidate
		want   []election.Candidate
	}{
		{"both the same", who(1), candidates(1, 2, 3), candidates(1, 2, 3)},
		{"the first has gone since", who(2), candidates(1, 2, 3), candidates(2, 3)},
		{"all have gone since", who(9), candidates(1, 2, 3), candidates(9)},
		{"the leader has gone since", who(1), candidates(2, 3), candidates(2, 3)},
		{"the first one has come since", who(1), nil, candidates(1)},
		{"nobody leads any more", election.Candidate{}, candidates(1, 2), nil},
		{"the first is hidden", hidden(1), append([]election.Candidate{hidden(1)}, candidates(2, 3)...), append([]election.Candidate{hidden(1)}, candidates(2, 3)...)},
		{"the hidden leader has gone since", hidden(1), candidates(2, 3), candidates(2, 3)},
		{"one who is hidden has gone since", who(2), append([]election.Candidate{hidden(1)}, candidates(2, 3)...), candidates(2, 3)},
		{"the hidden one has come since", hidden(1), nil, []election.Candidate{hidden(1)}},
	} {
		if got := from(test.leader, test.line); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: the line is %v; want %v", test.name, got, test.want)
		}
	}
}

func TestAnOwnLeaderIsKnownBeforeTheObserverSeesIt(t *testing.T) {
	const T = 10 * time.Second
	waits := election.Status{ID: "b", Node: "/e/2", State: election.StateWaiting}
	leads := election.Status{ID: "c", Node: "/e/3", State: election.StateLeading, Token: 3, LeaseRemaining: 4 * time.Second}
	if l, lease := ahead(who(1), []election.Status{waits, leads}, T); l.ID != "c" || l.Token != 3 || lease.RemainingMS != 4000 {
		t.Errorf("leader %+v, lease %+v; want the own one", l, lease)
	}
	if l, lease := ahead(hidden(3), []election.Status{waits, leads}, T); l.ID != "c" || l.Token != 3 || l.Hidden || lease == nil {
		t.Errorf("leader %+v, lease %+v; want what the own one knows", l, lease)
	}
	if l, lease := ahead(who(4), []election.Status{waits, leads}, T); l.Token != 4 || lease != nil {
		t.Errorf("leader %+v, lease %+v; want the later one, whose lease is not known", l, lease)
	}
}

// lead is the event of an own candidate that is elected, without the term's details.
func lead(h *history, token int64, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own(who(token).Node, token, "", at)
}

func TestTheHistoryHoldsEachTermOnceWhicheverSourceIsFirst(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	h := history{size: 3}
	h.observed(who(1), at(10)) // began before
	lead(&h, 2, at(20))        // own, not seen yet
	h.observed(election.Candidate{}, at(21))
	h.observed(who(2), at(22))
	h.record(election.Event{Kind: election.EventDeposed, Token: 2, Time: at(30), Reason: recipe.ReasonReleased})
	lead(&h, 3, at(31))
	h.observed(who(2), at(32)) // old news
	h.observed(who(3), at(33))
	got := h.list()
	if len(got) != 3 || got[0].token != 3 || got[1].token != 2 || got[2].token != 1 {
		t.Fatalf("terms: %+v", got)
	}
	if first := got[2]; !first.before || !first.end.Equal(at(20)) || first.reason != 0 {
		t.Errorf("the first term: %+v", first)
	}
	if second := got[1]; second.before || !second.begin.Equal(at(20)) || !second.end.Equal(at(30)) || second.reason != recipe.ReasonReleased {
		t.Errorf("the second term: %+v", second)
	}
	if third := got[0]; !third.end.IsZero() {
		t.Errorf("the term that lasts: %+v", third)
	}
	h.observed(who(4), at(40))
	h.observed(who(4), at(41)) // new data
	if got := h.list(); len(got) != 3 || got[0].token != 4 || got[2].token != 2 || !got[1].end.Equal(at(40)) {
		t.Errorf("after one more: %+v", got)
	}
}

func TestAnObserverThatLagsAddsNoTermInThePast(t *testing.T) {
	h := history{size: 3}
	lead(&h, 5, time.Unix(1, 0))
	h.observed(who(4), time.Unix(2, 0))
	h.observed(who(5), time.Unix(3, 0))
	if got := h.list(); len(got) != 1 || got[0].token != 5 || !got[0].end.IsZero() {
		t.Errorf("terms: %+v", got)
	}
}

// A hidden leader has a term like any other, without a token. Its znode tells it from the others.
func TestTheHistoryHoldsTheTermsOfHiddenLeaders(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	h := history{size: 9}
	h.observed(hidden(1), at(10)) // began before
	h.observed(hidden(2), at(20))
	h.observed(election.Candidate{}, at(30))
	h.observed(hidden(3), at(40))
	lead(&h, 3, at(41)) // own, though the page cannot read it
	h.record(election.Event{Kind: election.EventDeposed, Token: 3, Time: at(50), Reason: recipe.ReasonReleased})
	lead(&h, 4, at(51))
	h.observed(hidden(4), at(52))
	h.observed(who(4), at(53)) // its ACL has been changed
	h.observed(hidden(4), at(54))
	h.observed(hidden(5), at(60))
	h.observed(who(5), at(70))
	h.observed(hidden(6), at(80))
	var got []string
	for _, t := range h.list() {
		end := int64(0)
		if !t.end.IsZero() {
			end = t.end.Unix()
		}
		got = append(got, fmt.Sprintf("%s: token %d, %d to %d, before %v", t.node, t.token, t.begin.Unix(), end, t.before))
	}
	want := []string{
		"/e/6: token 0, 80 to 0, before false", "/e/5: token 5, 60 to 80, before false", "/e/4: token 4, 51 to 60, before false",
		"/e/3: token 3, 41 to 50, before false", "/e/2: token 0, 20 to 30, before false", "/e/1: token 0, 10 to 20, before true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("terms\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
