package history

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var kinds = []string{
	Overlap, TokenOrder, TokenTwice, Order, LostUpdate, Outside, ClockBack, AfterPause, LeaseOutlive,
	Liveness, Observer, WakeUps, Leftover, Foreign, Late, Exit, Unfinished,
}

func recorded(t *testing.T, pattern string) (files []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories match %s: %v", pattern, err)
	}
	return files
}

func read(t *testing.T, file string) []Line {
	t.Helper()
	lines, err := ReadFile(file)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return lines
}

// The histories were recorded from real ensembles, most of the beats left out.
func TestRecordedHistoriesAreClean(t *testing.T) {
	terms, trials := 0, 0
	for _, file := range recorded(t, "clean/*.jsonl") {
		rep := Check(read(t, file))
		if len(rep.Violations) > 0 {
			t.Errorf("%s: %v", file, rep.Violations)
		}
		terms, trials = terms+len(rep.Terms), trials+len(rep.Trials)
		if len(rep.Gaps) != rep.Changes {
			t.Errorf("%s: %d changes, %d times without a leader", file, rep.Changes, len(rep.Gaps))
		}
	}
	if terms < 10 || trials < 20 {
		t.Errorf("only %d terms and %d trials were judged", terms, trials)
	}
}

// The same histories, each changed in one place; the file's name begins with the kind of violation.
func TestAViolationOfEachKindIsCaughtByName(t *testing.T) {
	caught := map[string]bool{}
	for _, file := range recorded(t, "broken/*.jsonl") {
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".jsonl"), "-", " ")
		name = strings.Replace(name, "wake ups", WakeUps, 1)
		rep := Check(read(t, file))
		if len(rep.Violations) != 1 || !strings.HasPrefix(name, rep.Violations[0].Kind) {
			t.Errorf("%s: %v", file, rep.Violations)
			continue
		}
		caught[rep.Violations[0].Kind] = true
	}
	for _, kind := range kinds {
		if !caught[kind] {
			t.Errorf("no history shows %q", kind)
		}
	}
}

// line builds a line from milliseconds.
func line(ms int64, id, event string, token int64) Line {
	t := ms * int64(time.Millisecond)
	return Line{T: t, ID: id, Event: event, Token: token, Node: "/e/" + id, Deadline: t}
}

// led is a term with a beat at both ends.
func led(id string, token, from, to int64) []Line {
	return []Line{line(from, id, "joined", 0), line(from, id, "elected", token), line(from, id, "beat", token), line(to, id, "beat", token)}
}

// claims is led by one who says each time that its lease runs for 400 ms more.
func claims(id string, token, from, to int64) []Line {
	lines := led(id, token, from, to)
	for i := range lines {
		lines[i].Deadline += 400 * int64(time.Millisecond)
	}
	return lines
}

func mark(ms int64, event, node string) Line {
	return Line{T: ms * int64(time.Millisecond), ID: Nemesis, Event: event, Node: node, TimeoutMS: 1000, LeaseMS: 1000}
}

func TestWhatIsProvenAndWhatIsExcused(t *testing.T) {
	round := []Line{mark(0, "round", "")}
	deposed := func(ms int64, id string, token int64, reason string) []Line {
		l := line(ms, id, "deposed", token)
		l.Reason = reason
		return []Line{l}
	}
	for name, c := range map[string]struct {
		history []Line
		want    string // the kinds, in order
		overlap time.Duration
	}{
		"one after another":             {slices.Concat(led("a", 1, 10, 20), led("b", 2, 21, 30)), "", 0},
		"in the same instant":           {slices.Concat(led("a", 1, 10, 20), led("b", 2, 20, 30)), Overlap, 0},
		"one within the other":          {slices.Concat(led("a", 1, 10, 90), led("b", 2, 20, 30)), Overlap, 10 * time.Millisecond},
		"two at once with a third":      {slices.Concat(led("a", 1, 10, 90), led("b", 2, 20, 30), led("c", 3, 40, 100)), Overlap + "," + Overlap, 50 * time.Millisecond},
		"elected and never seen to be":  {slices.Concat(led("a", 1, 10, 90), []Line{line(20, "b", "elected", 2)}), "", 0},
		"deposed late says nothing":     {slices.Concat(led("a", 1, 10, 20), led("b", 2, 30, 40), deposed(50, "a", 1, "lease expired")), "", 0},
		"told late, in another order":   {slices.Concat(led("b", 2, 30, 40), led("a", 1, 10, 20)), "", 0},
		"erased, within a lease":        {slices.Concat(led("a", 1, 10, 900), []Line{mark(100, "erasing", ""), mark(110, "erased", "")}, led("b", 2, 105, 2000)), "", 0},
		"erased, a lease is over":       {slices.Concat(led("a", 1, 10, 1200), []Line{mark(100, "erasing", ""), mark(110, "erased", "")}, led("b", 2, 105, 2000)), Overlap, 90 * time.Millisecond},
		"erased, but before that":       {slices.Concat(led("a", 1, 10, 900), []Line{mark(100, "erasing", ""), mark(110, "erased", "")}, led("b", 2, 95, 2000)), Overlap, 5 * time.Millisecond},
		"erased, then first in line":    {slices.Concat([]Line{line(5, "a", "joined", 0), mark(100, "erasing", ""), mark(100, "erased", "")}, led("b", 2, 105, 200), led("a", 1, 610, 620)), "", 0},
		"erased, and first too late":    {slices.Concat([]Line{line(5, "a", "joined", 0), mark(100, "erasing", ""), mark(100, "erased", "")}, led("b", 2, 105, 200), led("a", 1, 1110, 1120)), TokenOrder, 0},
		"before the claimed end":        {slices.Concat(claims("a", 1, 10, 90), led("b", 2, 489, 500)), LeaseOutlive, 0},
		"at the claimed end":            {slices.Concat(claims("a", 1, 10, 90), led("b", 2, 490, 500)), "", 0},
		"its znode deleted by hand":     {slices.Concat(claims("a", 1, 10, 90), deposed(91, "a", 1, "node deleted"), led("b", 2, 200, 300)), LeaseOutlive, 0},
		"released":                      {slices.Concat(claims("a", 1, 10, 90), deposed(91, "a", 1, "released"), led("b", 2, 100, 200)), "", 0},
		"told to resign, and killed":    {slices.Concat(claims("a", 1, 10, 90), []Line{{T: 91e6, ID: Nemesis, Event: "asked", Of: "a"}}, led("b", 2, 100, 200)), "", 0},
		"given up just before its end":  {slices.Concat(claims("a", 1, 10, 90), deposed(430, "a", 1, "lease expired"), led("b", 2, 440, 500)), "", 0},
		"given up, and followed early":  {slices.Concat(claims("a", 1, 10, 90), deposed(430, "a", 1, "lease expired"), led("b", 2, 400, 500)), LeaseOutlive, 0},
		"led on":                        {slices.Concat([]Line{mark(5, "healed", "")}, led("a", 1, 2, 20)), "", 0},
		"led again in time":             {slices.Concat([]Line{mark(5, "healed", "")}, led("a", 1, 1000, 1010)), "", 0},
		"led again too late":            {slices.Concat([]Line{mark(5, "healed", "")}, led("a", 1, 1006, 1010)), Liveness, 0},
		"one wake-up":                   {[]Line{{ID: Nemesis, Event: "departed", Position: 1}}, "", 0},
		"a short pause, and goes on":    {slices.Concat(led("a", 1, 10, 20), []Line{{T: 30e6, ID: Nemesis, Event: "paused", Of: "a"}, {T: 900e6, ID: Nemesis, Event: "continued", Of: "a"}}, []Line{line(901, "a", "beat", 1)}), "", 0},
		"a long pause, a later term":    {slices.Concat(led("a", 1, 10, 20), []Line{{T: 30e6, ID: Nemesis, Event: "paused", Of: "a"}, {T: 1900e6, ID: Nemesis, Event: "continued", Of: "a"}}, led("a", 2, 1901, 1902)), "", 0},
		"a new process tells old times": {slices.Concat([]Line{line(50, "a", "joined", 0), {T: 60e6, ID: Nemesis, Event: "started", Of: "a"}}, []Line{line(40, "a", "joined", 0)}), "", 0},
	} {
		rep := Check(slices.Concat(round, c.history))
		var got []string
		for _, v := range rep.Violations {
			got = append(got, v.Kind)
		}
		if strings.Join(got, ",") != c.want || rep.Overlap != c.overlap {
			t.Errorf("%s: %v, overlap %v; want %q, %v", name, rep.Violations, rep.Overlap, c.want, c.overlap)
		}
	}
}

func TestServersThatDivergeExcuseWhatDependsOnThemAlone(t *testing.T) {
	broken := func(kind string) Line { return Line{ID: Nemesis, Event: "broken", Reason: kind} }
	lines := slices.Concat([]Line{mark(5, "healed", ""), broken(Liveness), broken(Leftover)}, led("a", 1, 1100, 1200), led("b", 2, 1150, 1160))
	if rep := Check(lines); rep.Count(Liveness) != 2 || rep.Count(Leftover) != 1 || rep.Count(Overlap) != 1 {
		t.Errorf("%v", rep.Violations)
	}
	rep := Check(append(lines, Line{ID: Nemesis, Event: "diverged", Text: "server 1 has more"}))
	if len(rep.Violations) != 1 || rep.Count(Overlap) != 1 || rep.Diverged == "" {
		t.Errorf("%v", rep.Violations)
	}
}

func TestATimeWithoutALeaderIsCountedFromTheFirstFaultToTheLeave(t *testing.T) {
	rep := Check(slices.Concat(
		led("a", 1, 10, 20), led("b", 2, 25, 40), // before the fault
		[]Line{mark(30, "fault", "")},
		led("c", 3, 100, 200), led("a", 4, 150, 160), led("b", 5, 230, 240),
		[]Line{mark(250, "closing", "")},
		led("c", 6, 300, 310)))
	want := []time.Duration{60 * time.Millisecond, 0, 30 * time.Millisecond}
	if rep.Changes != 3 || !slices.Equal(rep.Gaps, want) {
		t.Errorf("%d changes, %v; want %v", rep.Changes, rep.Gaps, want)
	}
}

func TestAHistoryIsReadAsItWasWritten(t *testing.T) {
	lines := read(t, recorded(t, "clean/random.jsonl")[0])
	file := filepath.Join(t.TempDir(), "h.jsonl")
	if err := Save(file, lines); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); !reflect.DeepEqual(got, lines) {
		t.Error("the lines differ")
	}
	if _, err := Read(strings.NewReader("{\"t\":1}\n{\"t\":")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("half a line: %v", err)
	}
}
