package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/proc"
)

var exe string

func TestMain(m *testing.M) {
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	remove()
}

// hang guards against a program that does not end.
const hang = 4 * time.Minute

// size is the default of -size.
const size = 4

// line is what the program tells.
type line struct {
	ID, Event, Worker, Reason string
	Slot                      *int
	Token                     int64
	Issued, Twice, Late       int
}

// patient are flags with which a busy machine loses no lease.
var patient = []string{"-timeout", "20s", "-lease", "5s"}

func TestNoIDIsIssuedTwice(t *testing.T) {
	t.Parallel()
	issuesNoIDTwice(t)
}

// With seven workers, the one that was paused waits behind another.
func TestNoIDIsIssuedTwiceWhereSeveralWait(t *testing.T) {
	t.Parallel()
	issuesNoIDTwice(t, "-workers", "7")
}

func issuesNoIDTwice(t *testing.T, args ...string) {
	t.Helper()
	p := proc.Start(t, exe, append(args, patient...)...)
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Fatalf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	tokens, last := map[int]int64{}, line{}
	counts := map[string]int{}
	for _, text := range p.Lines() {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("line %s: %v", text, err)
		}
		counts[l.Event]++
		if l.Event == "acquired" {
			if l.Token <= tokens[*l.Slot] || *l.Slot < 0 || *l.Slot >= size {
				t.Errorf("%s has slot %d with token %d after %d", l.ID, *l.Slot, l.Token, tokens[*l.Slot])
			}
			tokens[*l.Slot] = l.Token
		}
		last = l
	}
	if counts["acquired"] < size+2 || counts["lost"] == 0 || counts["released"] == 0 || counts["goes on"] != 1 {
		t.Errorf("events %v", counts)
	}
	if last.Event != "done" || last.Twice+last.Late != 0 || last.Issued < 1000 {
		t.Errorf("last line %+v", last)
	}
}

// A worker that does not ask goes on with the burst in the middle of which it was paused.
func TestWithoutTheCheckANumberIsUsedByTwo(t *testing.T) {
	t.Parallel()
	p := proc.Start(t, exe, append([]string{"-check=false"}, patient...)...)
	code, stderr := p.Exit(hang)
	if code != 1 || !strings.Contains(stderr, " with a number that was another's") {
		t.Errorf("exit code %d, stderr %q; want 1 and that a number was used by two", code, stderr)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range []string{"-size 1", "-workers 4", "x", "-lease 1ms", "-size 2000 -workers 2001"} {
		p := proc.Start(t, exe, strings.Fields(args)...)
		if code, stderr := p.Exit(hang); code != 2 || !strings.Contains(stderr, "; want ") {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and what is wrong", args, code, stderr)
		}
	}
}
