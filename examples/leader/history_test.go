package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
)

const ms = int64(time.Millisecond)

// told returns the history of lines written as id, event, time in ms, token.
func told(lines ...candidate.Line) *history {
	h := newHistory(0, names...)
	h.timeout, h.lease = time.Second, 500*time.Millisecond
	for _, l := range lines {
		h.add(l)
	}
	return h
}

func at(t int64, id, event string, token int64) candidate.Line {
	return candidate.Line{T: t * ms, ID: id, Event: event, Token: token, Deadline: (t + 400) * ms, Reason: "released"}
}

func TestTwoLeadersAreFoundInWhateverOrderTheirLinesCome(t *testing.T) {
	alice := []candidate.Line{at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(40, "alice", "beat", 7)}
	for _, test := range []struct {
		name string
		bob  []candidate.Line
		want string
	}{
		{"later", []candidate.Line{at(41, "bob", "elected", 8), at(50, "bob", "beat", 8)}, ""},
		{"between two beats", []candidate.Line{at(30, "bob", "elected", 8)}, "alice (token 7) still led 10 ms after bob (token 8) began"},
		{"at the last beat", []candidate.Line{at(40, "bob", "elected", 8)}, "alice (token 7) still led"},
		{"same token", []candidate.Line{at(50, "bob", "elected", 7)}, "same token 7"},
		{"smaller token later", []candidate.Line{at(50, "bob", "elected", 6)}, "bob (token 6) still led"},
		{"same candidate", []candidate.Line{at(30, "alice", "elected", 8)}, "alice (token 7) still led"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, h := range []*history{told(append(alice[:3:3], test.bob...)...), told(append(test.bob[:len(test.bob):len(test.bob)], alice...)...)} {
				got := strings.Join(h.problems(), "; ")
				if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
					t.Errorf("problems: %q; want %q", got, test.want)
				}
			}
		})
	}
}

func TestTheGapEndsAtTheNextLeaderAndBeginsAtTheLastProof(t *testing.T) {
	resigned := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(25, "alice", "deposed", 7), at(27, "bob", "elected", 8))
	if gap := resigned.changes()[0].gap; gap != 2*ms {
		t.Errorf("after a resignation: %s; want 2.0 ms, from the resignation on", short(gap))
	}
	late := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(27, "bob", "elected", 8), at(28, "alice", "deposed", 7))
	if gap := late.changes()[0].gap; gap != 7*ms {
		t.Errorf("after a resignation told late: %s; want 7.0 ms, from the last beat on", short(gap))
	}
	crashed := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(1020, "bob", "elected", 8))
	if gap := crashed.changes()[0].gap; gap != 1000*ms {
		t.Errorf("after a crash: %s; want 1.00 s, from the last beat on", short(gap))
	}
	paused := told(at(10, "alice", "elected", 7), at(20, "alice", "beat", 7), at(1020, "bob", "elected", 8), at(1500, "alice", "deposed", 7))
	if gap := paused.changes()[0].gap; gap != 1000*ms {
		t.Errorf("after a pause: %s; want 1.00 s, whatever it says later", short(gap))
	}
}

func TestLinesOfAKilledProcessDoNotReviveIt(t *testing.T) {
	h := told(at(10, "alice", "elected", 7))
	h.member("alice").enter(30*ms, killed)
	h.add(at(20, "alice", "joined", 0))
	if s := h.member("alice").state(); s != killed {
		t.Errorf("state is %v; want %v", s, killed)
	}
}

// story is a history with everything in it.
func story() *history {
	h := told(at(0, "alice", "joined", 0), at(1, "alice", "elected", 7), at(2, "bob", "joined", 0), at(3, "bob", "heir", 0), at(4, "carol", "joined", 0))
	for i := int64(10); i < 2000; i += 10 {
		h.add(at(i, "alice", "beat", 7))
	}
	h.member("alice").enter(2000*ms, killed)
	h.find(7).ending = "crashed"
	h.add(at(3000, "bob", "elected", 8))
	h.add(at(3000, "carol", "heir", 0))
	for i := int64(3010); i < 4000; i += 10 {
		h.add(at(i, "bob", "beat", 8))
	}
	h.now = "alice is killed (kill -9): its znode goes when ZooKeeper ends its session."
	h.trouble = "alice: session: no session with 127.0.0.1:2181 (connection refused)"
	return h
}

func TestThePictureFitsAnyTerminal(t *testing.T) {
	h := story()
	for width := 1; width < 150; width++ {
		for height := 1; height < 40; height++ {
			p := picture{glyphs: unicode, h: h, now: 4000 * ms, width: width, height: height, ensemble: "here"}
			lines := p.lines()
			if len(lines) > height {
				t.Fatalf("%d lines for a height of %d", len(lines), height)
			}
			for _, l := range lines {
				if text := l.render(width, false); utf8.RuneCountInString(text) > width {
					t.Fatalf("line %q for a width of %d", text, width)
				}
			}
		}
	}
}

func TestThePictureSaysWhoLeads(t *testing.T) {
	p := picture{glyphs: ascii, h: story(), now: 4000 * ms, width: 100, height: 40, ensemble: "here"}
	var text []string
	for _, l := range p.lines() {
		text = append(text, l.render(100, false))
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{
		" x alice  KILLED  token 7           lease over for 1.61 s",
		" * bob    LEADS   token 8           lease #",
		"   carol  heir ",
		"alice crashed       -> bob   nobody led for  1.01 s",
		"Two leaders at once: never (terms: 2, beats: 298)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "\x1b") {
		t.Error("an escape sequence without colors")
	}
}

func TestNoColumnOfTheTimelineHasTwoLeaders(t *testing.T) {
	p := picture{glyphs: unicode, h: story(), now: 4000 * ms, width: 80, height: 40}
	var tracks [][]rune
	for _, l := range p.timeline()[1:] {
		tracks = append(tracks, []rune(l.render(80, false))[10:])
	}
	led := 0
	for column := range tracks[0] {
		n := 0
		for _, track := range tracks[:len(names)] {
			if string(track[column]) == unicode.led {
				n++
			}
		}
		nobody := string(tracks[len(names)][column]) == unicode.nobody
		led += n
		if n > 1 || nobody && n > 0 {
			t.Errorf("column %d has %d leaders; nobody: %v", column, n, nobody)
		}
	}
	if led == 0 {
		t.Error("no column has a leader")
	}
}
