package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"
)

// line is what the program tells.
type line struct {
	ID, Event, Worker, Reason string
	Slot                      *int
	Token                     int64
	Issued, Twice             int
}

func TestNoIDIsIssuedTwice(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	slots, tokens, last := map[string]int{}, map[int]int64{}, line{}
	counts := map[string]int{}
	for s := bufio.NewScanner(&out); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("line %s: %v", s.Text(), err)
		}
		counts[l.Event]++
		if l.Event == "acquired" {
			if l.Token <= tokens[*l.Slot] || *l.Slot < 0 || *l.Slot >= o.size {
				t.Errorf("%s has slot %d with token %d after %d", l.ID, *l.Slot, l.Token, tokens[*l.Slot])
			}
			tokens[*l.Slot], slots[l.ID] = l.Token, *l.Slot
		}
		last = l
	}
	if counts["acquired"] < o.size+2 || counts["lost"] == 0 || counts["released"] == 0 {
		t.Errorf("events %v", counts)
	}
	if last.Event != "done" || last.Twice != 0 || last.Issued < 1000 {
		t.Errorf("last line %+v", last)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-size", "1"}, {"-workers", "4"}, {"x"}, {"-lease", "1ms"}, {"-size", "2000", "-workers", "2001"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
