package election_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
)

// A stretch is what was seen of one term: it was valid at from and at to, so at every moment in
// between, because what has once been invalid stays so.
type stretch struct {
	token    int64
	from, to time.Time
}

// faults returns what is wrong with the history of one election.
func faults(history []stretch) (wrong []string) {
	history = slices.Clone(history)
	slices.SortStableFunc(history, func(a, b stretch) int { return a.from.Compare(b.from) })
	for i, b := range history {
		for _, a := range history[:i] {
			if a.token == b.token {
				wrong = append(wrong, fmt.Sprintf("token %d twice", a.token))
			} else if a.token > b.token {
				wrong = append(wrong, fmt.Sprintf("token %d after %d", b.token, a.token))
			}
			if a.to.After(b.from) {
				wrong = append(wrong, fmt.Sprintf("%d and %d led together for %v", a.token, b.token, min(a.to.Sub(b.from), b.to.Sub(b.from))))
			}
		}
	}
	return wrong
}

// A checker watches the terms of one election.
type checker struct {
	mu      sync.Mutex // guards history and expels
	history []*stretch
	expels  bool // somebody deletes a leader's znode by hand: then no more than tokens are promised
	running sync.WaitGroup
}

var checkers struct {
	sync.Mutex
	of map[string]*checker
}

// checkerOf returns the checker of the election at path, which reports when the test ends.
func checkerOf(t *testing.T, path string) *checker {
	checkers.Lock()
	defer checkers.Unlock()
	if r := checkers.of[path]; r != nil {
		return r
	}
	r := &checker{}
	if checkers.of == nil {
		checkers.of = map[string]*checker{}
	}
	checkers.of[path] = r
	t.Cleanup(func() { // after those of the candidates
		r.running.Wait()
		for _, wrong := range faults(r.list()) {
			if !r.expels || !strings.Contains(wrong, "together") {
				t.Error(wrong)
			}
		}
		checkers.Lock()
		defer checkers.Unlock()
		delete(checkers.of, path)
	})
	return r
}

// expel tells the checker that a leader's znode is about to be deleted by hand.
func (r *checker) expel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expels = true
}

func (r *checker) list() (all []stretch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.history {
		all = append(all, *s)
	}
	return all
}

// watch samples a term from two goroutines until it is over.
func (r *checker) watch(term *election.Term) {
	s := &stretch{token: term.Token()}
	sample := func() bool {
		before := time.Now()
		valid := term.Valid()
		after := time.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		if !valid {
			return false
		}
		if s.from.IsZero() {
			s.from = after
			r.history = append(r.history, s)
		}
		if before.After(s.to) {
			s.to = before
		}
		return true
	}
	if !sample() {
		return
	}
	for range 2 {
		r.running.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for sample() {
				<-tick.C
			}
		})
	}
}

func TestTheCheckerCatchesABrokenHistory(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	for name, c := range map[string]struct {
		history []stretch
		want    string
	}{
		"clean":         {[]stretch{{1, at(0), at(10)}, {2, at(10), at(20)}, {5, at(30), at(40)}}, ""},
		"overlap":       {[]stretch{{1, at(0), at(10)}, {2, at(9), at(20)}}, "1 and 2 led together for 1ms"},
		"inside":        {[]stretch{{1, at(0), at(100)}, {2, at(9), at(20)}}, "1 and 2 led together for 11ms"},
		"far overlap":   {[]stretch{{1, at(0), at(100)}, {2, at(1), at(1)}, {3, at(50), at(60)}}, "1 and 3 led together"},
		"token back":    {[]stretch{{7, at(0), at(10)}, {6, at(10), at(20)}}, "token 6 after 7"},
		"token twice":   {[]stretch{{7, at(0), at(10)}, {7, at(20), at(30)}}, "token 7 twice"},
		"told unsorted": {[]stretch{{2, at(10), at(20)}, {1, at(0), at(10)}}, ""},
	} {
		got := strings.Join(faults(c.history), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: faults %q, want %q", name, got, c.want)
		}
	}
}

// Said of Config.FollowLeader, in line or not.
const (
	unfollowed        = "the leader cannot be followed now"
	unfollowedForGood = "the leader is not followed any more"
)

// faultOf returns what is wrong with the events of one candidate that has ended.
func faultOf(events []election.Event) error {
	var inLine, leading bool
	var token int64
	for i, ev := range events {
		bad := func(why string) error { return fmt.Errorf("event %d, %v: %s", i, ev.Kind, why) }
		if ev.Time.IsZero() {
			return bad("without a time")
		}
		switch ev.Kind {
		case election.EventJoined:
			if inLine {
				return bad("in line already")
			}
			inLine = true
		case election.EventHeir, election.EventBlocked, election.EventSuspended, election.EventResumed:
			if !inLine {
				return bad("not in line")
			}
			if ev.Kind == election.EventHeir && leading {
				return bad("leading")
			}
		case election.EventElected:
			if !inLine || leading || ev.Token <= token {
				return bad("not in line, leading already, or an old token")
			}
			leading, token = true, ev.Token
		case election.EventDeposed:
			if !leading || ev.Token != token || ev.Reason == 0 {
				return bad("not leading, another's token, or no reason")
			}
			leading = false
		case election.EventLeft:
			if !inLine || leading {
				return bad("not in line, or leading")
			}
			inLine = false
		case election.EventFailed:
			if ev.Err == nil || inLine && !strings.Contains(ev.Err.Error(), unfollowed) && !strings.Contains(ev.Err.Error(), unfollowedForGood) {
				return bad("in line, or no error")
			}
		}
	}
	if inLine || leading {
		return fmt.Errorf("the last event leaves it in line: %v, leading: %v", inLine, leading)
	}
	return nil
}

func TestTheCheckerCatchesUnpairedEvents(t *testing.T) {
	now := time.Now()
	ev := func(k election.EventKind) election.Event {
		return election.Event{Kind: k, Time: now, Token: 1, Reason: recipe.ReasonReleased}
	}
	j, e, d, l := ev(election.EventJoined), ev(election.EventElected), ev(election.EventDeposed), ev(election.EventLeft)
	for name, c := range map[string]struct {
		events []election.Event
		ok     bool
	}{
		"nothing":         {nil, true},
		"a term":          {[]election.Event{j, e, d, l}, true},
		"no term":         {[]election.Event{j, l}, true},
		"no deposed":      {[]election.Event{j, e, l}, false},
		"two deposed":     {[]election.Event{j, e, d, d, l}, false},
		"no left":         {[]election.Event{j, e, d}, false},
		"left twice":      {[]election.Event{j, l, l}, false},
		"left first":      {[]election.Event{j, e, l, d}, false},
		"elected outside": {[]election.Event{e, d}, false},
		"token again":     {[]election.Event{j, e, d, l, j, e, d, l}, false},
	} {
		if err := faultOf(c.events); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
