package main

import (
	"strings"
	"testing"
	"time"
)

// told returns a history of one shard from terms that were told.
func told(terms ...stretch) history {
	h := history{}
	for _, t := range terms {
		h.add(t)
	}
	return h
}

func led(by string, token, from, to int64) stretch {
	return stretch{Shard: "s01", By: by, Token: token, From: from, To: to}
}

func TestTermsThatOverlapAreFound(t *testing.T) {
	for _, test := range []struct {
		name  string
		terms []stretch
		want  string // "" if nothing is wrong
	}{
		{"one after the other", []stretch{led("alice", 5, 10, 20), led("bob", 9, 21, 30)}, ""},
		{"told in another order", []stretch{led("bob", 9, 21, 30), led("alice", 5, 10, 20)}, ""},
		{"told in parts", []stretch{led("alice", 5, 10, 15), led("bob", 9, 21, 30), led("alice", 5, 10, 20)}, ""},
		{"an overlap", []stretch{led("alice", 5, 10, 21), led("bob", 9, 21, 30)}, "alice with token 5 and bob with token 9 overlap"},
		{"an overlap that shows later", []stretch{led("alice", 5, 10, 15), led("bob", 9, 21, 30), led("alice", 5, 10, 25)}, "alice with token 5 and bob with token 9 overlap"},
		{"a later term with a lower token", []stretch{led("alice", 9, 10, 20), led("bob", 5, 21, 30)}, "bob with token 5 and alice with token 9 overlap"},
		{"one token twice", []stretch{led("alice", 5, 10, 20), led("bob", 5, 21, 30)}, "token 5"},
	} {
		problems := told(test.terms...).problems()
		switch {
		case test.want == "" && len(problems) > 0, test.want != "" && len(problems) != 1:
			t.Errorf("%s: found %q; want %q", test.name, problems, test.want)
		case test.want != "" && !strings.Contains(problems[0], test.want):
			t.Errorf("%s: found %q; want %q", test.name, problems, test.want)
		}
	}
}

func TestAKilledProcessLeadsNothing(t *testing.T) {
	h := told(led("alice", 5, 10, 20))
	if got := h.leaders()["s01"]; got != "alice" {
		t.Errorf("%q leads; want alice", got)
	}
	shards, processes := []string{"s01"}, []string{"alice"}
	if !h.leaders().isBest(shards, processes) {
		t.Error("the only process leads, and that is not the best")
	}
	h.gone("alice")
	if got := h.leaders(); len(got) != 0 || got.isBest(shards, processes) {
		t.Errorf("leaders are %v, the best: %v; want none, and not", got, got.isBest(shards, processes))
	}
}

func TestTheGapIsTheLongestSinceAnInstant(t *testing.T) {
	h := told(led("alice", 5, 10, 20), led("bob", 9, 70, 80), led("alice", 12, 90, 95))
	if got := h.gap(0); got != 50*time.Nanosecond {
		t.Errorf("the gap is %v; want 50ns", got)
	}
	if got := h.gap(75); got != 10*time.Nanosecond {
		t.Errorf("the gap since 75 is %v; want 10ns", got)
	}
}
