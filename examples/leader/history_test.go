package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

const ms = int64(time.Millisecond)

// told returns the history of lines written as id, event, time in ms, token.
func told(all ...lines.Line) *history {
	h := newHistory(0)
	for _, l := range all {
		h.add(l)
	}
	return h
}

func at(t int64, id, event string, token int64) lines.Line {
	return lines.Line{T: t * ms, ID: id, Event: event, Token: token, Deadline: (t + 400) * ms, Reason: "released"}
}

func TestTwoLeadersAreFoundInWhateverOrderTheirLinesCome(t *testing.T) {
	alice := []lines.Line{at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(40, "alice", "beat", 7)}
	for _, test := range []struct {
		name string
		bob  []lines.Line
		want string
	}{
		{"later", []lines.Line{at(41, "bob", "elected", 8), at(50, "bob", "beat", 8)}, ""},
		{"between two beats", []lines.Line{at(30, "bob", "elected", 8)}, "alice (token 7) still led 10ms after bob (token 8) began"},
		{"at the last beat", []lines.Line{at(40, "bob", "elected", 8)}, "alice (token 7) still led"},
		{"same token", []lines.Line{at(50, "bob", "elected", 7)}, "(token 7) still led"},
		{"smaller token later", []lines.Line{at(50, "bob", "elected", 6)}, "bob (token 6) still led"},
		{"same candidate", []lines.Line{at(30, "alice", "elected", 8)}, "alice (token 7) still led"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, h := range []*history{told(append(alice[:3:3], test.bob...)...), told(append(test.bob[:len(test.bob):len(test.bob)], alice...)...)} {
				if got, sound := h.verdict(); sound != (test.want == "") || !strings.Contains(got, test.want) {
					t.Errorf("%q, sound: %v; want %q", got, sound, test.want)
				}
			}
		})
	}
}

func TestTheGapEndsAtTheNextLeaderAndBeginsAtTheLastProof(t *testing.T) {
	resigned := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(25, "alice", "deposed", 7), at(27, "bob", "elected", 8))
	if gap := resigned.changes()[0].gap; gap != 2*ms {
		t.Errorf("after a resignation: %v; want 2ms, from the resignation on", short(gap))
	}
	late := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(27, "bob", "elected", 8), at(28, "alice", "deposed", 7))
	if gap := late.changes()[0].gap; gap != 7*ms {
		t.Errorf("after a resignation told late: %v; want 7ms, from the last beat on", short(gap))
	}
	crashed := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(1020, "bob", "elected", 8))
	if gap := crashed.changes()[0].gap; gap != 1000*ms {
		t.Errorf("after a crash: %v; want 1s, from the last beat on", short(gap))
	}
	paused := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(1020, "bob", "elected", 8), at(1500, "alice", "deposed", 7))
	if gap := paused.changes()[0].gap; gap != 1000*ms {
		t.Errorf("after a pause: %v; want 1s, whatever it says later", short(gap))
	}
}

// story is a history with everything in it.
func story() *history {
	h := told(at(0, "alice", "joined", 0), at(1, "alice", "elected", 7), at(2, "bob", "joined", 0), at(3, "bob", "heir", 0), at(4, "carol", "joined", 0))
	for i := int64(10); i < 2000; i += 10 {
		h.add(at(i, "alice", "beat", 7))
	}
	h.member("alice").state = killed
	h.terms[0].ending = "crashed"
	h.add(at(3000, "bob", "elected", 8))
	h.add(at(3000, "carol", "heir", 0))
	for i := int64(3010); i < 4000; i += 10 {
		h.add(at(i, "bob", "beat", 8))
	}
	h.about = "ZooKeeper: here"
	h.latest = "> alice is killed (kill -9): its heir takes over when its lease is over."
	return h
}

func TestThePictureShowsHowAllStand(t *testing.T) {
	h := story()
	for token := int64(9); token < 20; token++ { // more changes than it lists
		h.add(at(4000+token, "bob", "elected", token))
	}
	p := &picture{h: h, lease: 400 * time.Millisecond}
	for range 2 * columns {
		p.frame(4020 * ms)
	}
	frame := p.frame(4020 * ms)
	if len(frame) > 24 {
		t.Errorf("%d lines; want at most 24", len(frame))
	}
	for _, line := range frame {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	all := strings.Join(frame, "\n")
	for _, want := range []string{
		" ✕ alice   killed, token 7, lease over               ░░░",
		" █ bob     leads, token 19, lease 399ms              ██████",
		" ─ carol   is heir",
		"Two leaders at once: never (terms: 13, beats: 298).",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "\x1b") {
		t.Error("an escape sequence without colors")
	}
}

func TestTheTimelineShowsWhoLedAndWhenNobodyDid(t *testing.T) {
	h := newHistory(0)
	p := &picture{h: h, lease: 400 * time.Millisecond}
	p.timeline()
	h.add(at(1, "alice", "joined", 0))
	p.timeline()
	h.add(at(2, "alice", "elected", 7))
	p.timeline()
	h.member("alice").state = killed
	p.timeline()
	h.add(at(500, "bob", "elected", 8))
	got := strings.Join(p.timeline()[1:], "\n")
	want := strings.Join([]string{
		"   alice   ─█✕✕",
		"   bob        █",
		"   carol       ",
		"   nobody ▪▪ ▪ ",
	}, "\n")
	if got != want {
		t.Errorf("the timeline is\n%s\nwant\n%s", got, want)
	}
}
