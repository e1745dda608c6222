package recipeprom

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// What is seen of leaders: the first is no change, other data of the same are none, and the time
// without any counts, at each scrape anew.
func TestLeadersAreFollowedThroughTheirGaps(t *testing.T) {
	m, c := newElections(newVectors(), "service"), &candidate{}
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	see := func(seconds int, node string) {
		m.take(c, election.Event{Kind: election.EventLeaderChanged, Time: at(seconds), Leader: election.Candidate{Node: node}})
	}
	see(0, "")
	see(1, "") // the path has come, say
	see(2, "/a")
	see(3, "/a")
	see(10, "/b")
	see(20, "")
	see(21, "/c")
	if n := testutil.ToFloat64(m.changes); n != 2 {
		t.Errorf("%v changes, want 2", n)
	}
	if m.leaderless != 3*time.Second {
		t.Errorf("nobody led for %v, want 3 s", m.leaderless)
	}
	see(30, "")
	m.endGap(c, at(32)) // as when the candidate has stopped looking
	m.endGap(c, at(90))
	if m.leaderless != 5*time.Second {
		t.Errorf("nobody led for %v, want 5 s", m.leaderless)
	}
}

// A counter never falls: the end of a gap may be heard of after a scrape that took it to go on.
func TestTheTimeWithoutALeaderNeverRunsBackwards(t *testing.T) {
	m, c := newElections(newVectors(), "service"), &candidate{}
	el, err := election.New(stage.Offline(t), "/e", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m.candidates[el] = c
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		el.Run(ctx, func(context.Context, *election.Term) error { return nil })
	}()
	defer func() { cancel(); <-ended }()
	await.Until(t, "search for a session", func() bool { return el.Status().State != election.StateIdle })
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for _, step := range []struct {
		seen    int // when the leader, "" for nobody, came
		leader  string
		scraped int
		want    time.Duration
	}{
		{0, "", 10, 10 * time.Second},
		{4, "/a", 11, 10 * time.Second}, // and counts from 4 s on
		{20, "", 30, 14 * time.Second},
	} {
		m.take(c, election.Event{Kind: election.EventLeaderChanged, Time: at(step.seen), Leader: election.Candidate{Node: step.leader}})
		if s := m.sum(at(step.scraped)); s.leaderless != step.want {
			t.Errorf("%v after %d s, want %v", s.leaderless, step.scraped, step.want)
		}
	}
}

// A process that was paused may not have noticed that its term is over: its lease tells.
func TestALeaderWhoseLeaseIsOverIsNoneHoweverItStands(t *testing.T) {
	s := newSum()
	s.add(election.Status{State: election.StateLeading, Node: "/n", Token: 7})
	if s.leading != 0 || s.token != 0 || s.states[election.StateLeading] != 1 {
		t.Errorf("%+v", s)
	}
	begun := time.Now()
	s.add(election.Status{State: election.StateLeading, Since: begun, Token: 9, LeaseRemaining: 3 * time.Second})
	s.add(election.Status{State: election.StateLeading, Since: begun.Add(-time.Minute), Token: 8, LeaseRemaining: 4 * time.Second})
	s.add(election.Status{State: election.StateWaiting, Node: "/n", Position: 5})
	if s.leading != 2 || s.token != 9 || s.lease != 3*time.Second || s.start != begun.Add(-time.Minute) || s.position != 5 {
		t.Errorf("%+v", s)
	}
}

// A state or a reason that is new in package election has a figure, and breaks nothing before it is
// known here.
func TestEachStateAndReasonHasAFigure(t *testing.T) {
	unnamed := func(s string) bool { return strings.Contains(s, "(") }
	for state := election.StateIdle; !unnamed(state.String()); state++ {
		if !slices.Contains(states, state) {
			t.Errorf("the state %v is not known", state)
		}
	}
	for reason := recipe.ReasonReleased; !unnamed(reason.String()); reason++ {
		if !slices.Contains(reasons, reason) {
			t.Errorf("the reason %v is not known", reason)
		}
	}
	s := newSum()
	if n, ok := s.states[election.StateWaiting]; n != 0 || !ok {
		t.Errorf("without candidates %v wait, %v; want 0", n, ok)
	}
	s.add(election.Status{State: 99})
	if n := s.states[99]; n != 1 {
		t.Errorf("%v candidates in a state that is not known; want 1", n)
	}
}
