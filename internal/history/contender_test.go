package history

import (
	"slices"
	"testing"
	"time"
)

// held is a time in which a contender held something, with a beat at both ends.
func held(id string, token, from, to int64, slot ...int) []Line {
	lines := []Line{line(from, id, "acquired", token), line(from, id, "beat", token), line(to, id, "beat", token), line(to, id, "released", token)}
	if len(slot) > 0 {
		lines[0].Slot = &slot[0]
	}
	return lines
}

func contender(id, recipe string, size int) Line {
	return Line{ID: Nemesis, Event: "started", Of: id, Recipe: recipe, Size: size}
}

func TestWhatContendersHoldIsJudgedByItsRecipe(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string // recipes
		aHas []Line
		bHas []Line
		want []string
	}{
		"locks in turn":               {"lock", "lock", held("a", 1, 0, 10), held("b", 2, 11, 20), nil},
		"locks at one time":           {"lock", "lock", held("a", 1, 0, 10), held("b", 2, 5, 20), []string{Overlap}},
		"a lock with an older token":  {"lock", "lock", held("a", 2, 0, 10), held("b", 1, 11, 20), []string{TokenOrder}},
		"readers at one time":         {"read", "read", held("a", 2, 0, 10), held("b", 1, 5, 20), nil},
		"a reader beside a writer":    {"write", "read", held("a", 1, 0, 10), held("b", 2, 5, 20), []string{Overlap}},
		"a writer beside a reader":    {"read", "write", held("a", 1, 0, 10), held("b", 2, 5, 20), []string{Overlap}},
		"permits at one time":         {"semaphore", "semaphore", held("a", 2, 0, 10, 0), held("b", 1, 5, 20, 1), nil},
		"permits with one slot":       {"semaphore", "semaphore", held("a", 1, 0, 10, 0), held("b", 2, 5, 20, 0), []string{Overlap}},
		"a slot that there is not":    {"semaphore", "semaphore", held("a", 1, 0, 10, 2), held("b", 2, 5, 20, 1), []string{Outside}},
		"a slot below all there are":  {"semaphore", "semaphore", held("a", 1, 0, 10, -1), held("b", 2, 5, 20, 1), []string{Outside}},
		"a lock before a lease's end": {"lock", "lock", lost("a", 1, 0, 10, 40), held("b", 2, 20, 30), []string{LeaseOutlive}},
		"a permit before one's end":   {"semaphore", "semaphore", lost("a", 1, 0, 10, 40, 1), held("b", 2, 20, 30, 1), []string{LeaseOutlive}},
		"permits without slots":       {"semaphore", "semaphore", held("a", 2, 0, 10), held("b", 1, 5, 20), nil},
		"permits with one token":      {"semaphore", "semaphore", held("a", 1, 0, 10), held("b", 1, 5, 20), []string{TokenTwice}},
		"another permit before that":  {"semaphore", "semaphore", lost("a", 1, 0, 10, 40, 1), held("b", 2, 20, 30, 0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			lines := append([]Line{contender("a", c.a, 2), contender("b", c.b, 2)}, slices.Concat(c.aHas, c.bHas)...)
			rep := Check(lines)
			var got []string
			for _, v := range rep.Violations {
				got = append(got, v.Kind)
			}
			if !slices.Equal(got, c.want) || len(rep.Terms) != 2 {
				t.Errorf("%v in %d terms, want %v", rep.Violations, len(rep.Terms), c.want)
			}
		})
	}
}

// lost is held, but what was held is lost, and its holder had said that its lease lasts until
// claim.
func lost(id string, token, from, to, claim int64, slot ...int) []Line {
	lines := held(id, token, from, to, slot...)
	lines[2].Deadline = claim * int64(time.Millisecond)
	lines[3].Event, lines[3].Reason = "lost", "session lost"
	return lines
}

// Permits without slots are counted.
func TestNoMoreHoldPermitsThanThereAre(t *testing.T) {
	erased := []Line{mark(0, "round", ""), mark(4, "erasing", ""), mark(4, "erased", "")}
	for name, c := range map[string]struct {
		size    int
		history []Line
		want    []string
		overlap time.Duration
	}{
		"as many as there are": {2, slices.Concat(held("a", 2, 0, 10), held("b", 1, 5, 20), held("c", 3, 11, 30)), nil, 0},
		"one in one's instant": {2, slices.Concat(held("a", 2, 0, 10), held("b", 1, 5, 20), held("c", 3, 10, 30)), []string{Overlap}, 0},
		"one too many":         {2, slices.Concat(held("a", 2, 0, 10), held("b", 1, 5, 20), held("c", 3, 7, 30)), []string{Overlap}, 3 * time.Millisecond},
		"one overtaken":        {2, slices.Concat(held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 11, 30)), []string{Order}, 0},
		"two overtaken":        {2, slices.Concat(held("b", 3, 5, 20), held("a", 1, 21, 30), held("c", 2, 22, 30)), []string{Order}, 0},
		"with a slot":          {2, slices.Concat(held("a", 1, 0, 10), held("b", 3, 5, 20, 0), held("c", 2, 11, 30)), nil, 0},
		"one told late":        {2, slices.Concat(held("b", 3, 5, 20), held("a", 1, 6, 30)), nil, 0},
		"two too many":         {2, slices.Concat(held("a", 1, 0, 30), held("b", 2, 5, 30), held("c", 3, 10, 12), held("d", 4, 11, 40)), []string{Overlap, Overlap}, 19 * time.Millisecond},
		"one of one too many":  {1, slices.Concat(held("a", 1, 0, 10), held("b", 2, 5, 20)), []string{Overlap}, 5 * time.Millisecond},
		"one, an older token":  {1, slices.Concat(held("a", 2, 0, 10), held("b", 1, 15, 20)), []string{TokenOrder}, 0},
		"with slots and not":   {2, slices.Concat(held("a", 1, 0, 10, 0), held("b", 2, 5, 20), held("c", 3, 7, 30, 1)), []string{Overlap}, 3 * time.Millisecond},
		"a lease runs":         {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 30), held("c", 3, 20, 50)), []string{LeaseOutlive}, 0},
		"a lease is over":      {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 30), held("c", 3, 40, 50)), nil, 0},
		"a lease and room":     {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 15), held("c", 3, 20, 50)), nil, 0},
		"no lease, no room":    {2, slices.Concat(lost("a", 1, 0, 10, 40), lost("b", 2, 0, 10, 50), held("c", 3, 20, 60)), []string{LeaseOutlive}, 0},
		"the path was deleted": {2, slices.Concat(erased, held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 7, 30)), nil, 0},
		"deleted, overtaken":   {2, slices.Concat(erased, held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 11, 30)), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []Line
			for _, id := range []string{"a", "b", "c", "d"} {
				lines = append(lines, contender(id, "semaphore", c.size))
			}
			rep := Check(append(lines, c.history...))
			var got []string
			for _, v := range rep.Violations {
				got = append(got, v.Kind)
			}
			if !slices.Equal(got, c.want) || rep.Overlap != c.overlap {
				t.Errorf("%v, overlap %v; want %v, %v", rep.Violations, rep.Overlap, c.want, c.overlap)
			}
		})
	}
}

func TestAPermitThatIsToHaveASlotHasOne(t *testing.T) {
	a := contender("a", "semaphore", 2)
	a.Slots = true
	for n, history := range [][]Line{held("a", 1, 0, 10, 1), held("a", 1, 0, 10)} {
		if rep := Check(append([]Line{a}, history...)); len(rep.Violations) != n || rep.Count(Outside) != n {
			t.Errorf("%v", rep.Violations)
		}
	}
}

// at is what was held at a path.
func at(path string, lines []Line) []Line {
	for i := range lines {
		lines[i].Path = path
	}
	return lines
}

func TestWhatIsHeldAtSeveralPathsIsJudgedForEach(t *testing.T) {
	both := func(id string, token, from, to int64, paths ...string) (lines []Line) {
		for _, path := range paths {
			lines = append(lines, at(path, held(id, token, from, to))...)
		}
		slices.SortStableFunc(lines, func(a, b Line) int { return int(a.T - b.T) })
		return lines
	}
	one := contender("c", "lock", 0)
	one.Path = "/b"
	for name, c := range map[string]struct {
		history []Line
		want    []string
	}{
		"others at one time": {slices.Concat(both("a", 1, 0, 10, "/a", "/b"), both("b", 1, 5, 20, "/c", "/d")), nil},
		"in turn":            {slices.Concat(both("a", 1, 0, 10, "/a", "/b"), both("b", 2, 11, 20, "/b", "/c")), nil},
		"one at one time":    {slices.Concat(both("a", 1, 0, 10, "/a", "/b"), both("b", 2, 5, 20, "/b", "/c")), []string{Overlap}},
		"two at one time":    {slices.Concat(both("a", 1, 0, 10, "/a", "/b"), both("b", 2, 5, 20, "/b", "/a")), []string{Overlap, Overlap}},
		"beside one alone":   {slices.Concat(both("a", 1, 0, 10, "/a", "/b"), []Line{one}, held("c", 2, 5, 20)), []string{Overlap}},
		"an older token":     {slices.Concat(both("a", 2, 0, 10, "/a", "/b"), both("b", 1, 11, 20, "/b", "/c")), []string{TokenOrder}},
		"one lost, the other released": {slices.Concat(
			at("/a", lost("a", 1, 0, 10, 40)), at("/b", held("a", 1, 0, 10)), both("b", 2, 20, 30, "/b")), nil},
		"one lost, and taken early": {slices.Concat(
			at("/a", lost("a", 1, 0, 10, 40)), at("/b", held("a", 1, 0, 10)), both("b", 2, 20, 30, "/a")), []string{LeaseOutlive}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := append([]Line{contender("a", "lock", 0), contender("b", "lock", 0)}, c.history...)
			want(t, lines, c.want...)
		})
	}
}

// want demands violations of these kinds, in order, leaving out that stamps decrease: the lines of
// two paths stand one behind the other.
func want(t *testing.T, lines []Line, kinds ...string) {
	t.Helper()
	var got []string
	rep := Check(lines)
	for _, v := range rep.Violations {
		if v.Kind != ClockBack {
			got = append(got, v.Kind)
		}
	}
	if !slices.Equal(got, kinds) {
		t.Errorf("%v; want %v", rep.Violations, kinds)
	}
}

func TestAWriterThatBecomesAReaderIsJudgedAsBoth(t *testing.T) {
	// a writes until 10, and reads from 15 to 30.
	writes := held("a", 3, 0, 10)
	reads := held("a", 3, 15, 30)
	reads[0].Event = "downgraded"
	a := slices.Concat(writes, reads)
	for name, c := range map[string]struct {
		recipe string
		b      []Line
		want   []string
	}{
		"a reader behind the writer":      {"read", held("b", 4, 12, 40), nil},
		"a reader beside the writer":      {"read", held("b", 4, 9, 40), []string{Overlap}},
		"a writer behind":                 {"write", held("b", 4, 31, 40), nil},
		"a writer beside the reader":      {"write", held("b", 4, 20, 40), []string{Overlap}},
		"a writer in between":             {"write", held("b", 4, 11, 14), []string{TokenOrder}},
		"another writer's token":          {"write", held("b", 3, 31, 40), []string{TokenTwice, TokenTwice}},
		"another reader's, of the writer": {"read", held("b", 3, 31, 40), []string{TokenTwice}},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, slices.Concat([]Line{contender("a", "write", 0), contender("b", c.recipe, 0)}, a, c.b), c.want...)
		})
	}
	want(t, slices.Concat([]Line{contender("a", "write", 0)}, a))
	lastReads := lost("a", 3, 15, 30, 60)
	lastReads[0].Event = "downgraded"
	want(t, slices.Concat([]Line{contender("a", "write", 0), contender("b", "write", 0)}, writes, lastReads,
		held("b", 4, 50, 70)), LeaseOutlive)
}

// several is held, of as many permits.
func several(n int, lines []Line, slots ...int) []Line {
	lines[0].Permits, lines[0].SlotNumbers = n, slots
	return lines
}

func TestSeveralPermitsOfOneHolderCount(t *testing.T) {
	two := func(id string, token, from, to int64, slots ...int) []Line {
		return several(2, held(id, token, from, to), slots...)
	}
	for name, c := range map[string]struct {
		history []Line
		want    []string
		overlap time.Duration
	}{
		"as many as there are":   {slices.Concat(two("a", 1, 0, 10), held("b", 2, 5, 20)), nil, 0},
		"one too many":           {slices.Concat(two("a", 1, 0, 10), two("b", 2, 5, 20)), []string{Overlap}, 5 * time.Millisecond},
		"until one of two ends":  {slices.Concat(two("a", 1, 0, 30), held("b", 2, 0, 10), two("c", 3, 5, 40)), []string{Overlap}, 25 * time.Millisecond},
		"until the single ends":  {slices.Concat(two("a", 1, 0, 30), held("b", 2, 0, 10), held("c", 3, 5, 40)), []string{Overlap}, 5 * time.Millisecond},
		"until the second ends":  {slices.Concat(held("a", 1, 0, 8), two("b", 2, 0, 12), several(3, held("c", 3, 5, 40))), []string{Overlap}, 7 * time.Millisecond},
		"leases run":             {slices.Concat(several(2, lost("a", 1, 0, 10, 40)), two("b", 2, 20, 30)), []string{LeaseOutlive}, 0},
		"a lease, and room":      {slices.Concat(several(2, lost("a", 1, 0, 10, 40)), held("b", 2, 20, 30)), nil, 0},
		"other slots":            {slices.Concat(two("a", 1, 0, 10, 0, 2), held("b", 2, 5, 20, 1)), nil, 0},
		"one slot of two":        {slices.Concat(two("a", 1, 0, 10, 0, 2), held("b", 2, 5, 20, 2)), []string{Overlap}, 5 * time.Millisecond},
		"a slot that is not one": {two("a", 1, 0, 10, 0, 3), []string{Outside}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []Line
			for _, id := range []string{"a", "b", "c"} {
				lines = append(lines, contender(id, "semaphore", 3))
			}
			lines = append(lines, c.history...)
			want(t, lines, c.want...)
			if rep := Check(lines); rep.Overlap != c.overlap {
				t.Errorf("overlap %v; want %v", rep.Overlap, c.overlap)
			}
		})
	}
	// One of two znodes was deleted, which a tells at 15.
	deleted := several(2, lost("a", 1, 0, 10, 40))
	deleted[3].T, deleted[3].Reason = 15*int64(time.Millisecond), "node deleted"
	one := several(1, slices.Clone(deleted))
	for from, c := range map[int64]struct {
		history []Line
		want    []string
	}{12: {deleted, []string{LeaseOutlive}}, 16: {deleted, nil}, 17: {one, []string{LeaseOutlive}}} {
		lines := []Line{contender("a", "semaphore", 2), contender("b", "semaphore", 2)}
		want(t, slices.Concat(lines, c.history, two("b", 2, from, 50)), c.want...)
	}
	a := contender("a", "semaphore", 3)
	a.Slots = true
	want(t, append([]Line{a}, two("a", 1, 0, 10, 0, 1)...))
	want(t, append([]Line{a}, two("a", 1, 0, 10, 0)...), Outside)
}

// sized is a Resize by r, asked for and, unless done is 0, done.
func sized(size int, asked, done int64) (lines []Line) {
	for event, at := range map[string]int64{"resizing": asked, "resized": done} {
		if event == "resizing" || at > 0 {
			l := line(at, "r", event, 0)
			l.Size = size
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b Line) int { return int(a.T - b.T) })
	return lines
}

func TestPermitsAreCountedByTheSizesThatTheyMayKnow(t *testing.T) {
	// waited is held by one that has waited since then.
	waited := func(since int64, id string, token, from, to int64, slot ...int) []Line {
		return append([]Line{line(since, id, "waiting", 0)}, held(id, token, from, to, slot...)...)
	}
	a, b := waited(0, "a", 1, 1, 50), waited(0, "b", 2, 1, 50)
	for name, c := range map[string]struct {
		history []Line
		want    []string
	}{
		"larger":                        {slices.Concat(a, b, sized(3, 10, 20), waited(5, "c", 3, 21, 60)), nil},
		"larger, and not done yet":      {slices.Concat(a, b, sized(3, 10, 20), waited(5, "c", 3, 11, 60)), nil},
		"larger, and never done":        {slices.Concat(a, b, sized(3, 10, 0), waited(5, "c", 3, 11, 60)), nil},
		"before it is larger":           {slices.Concat(a, b, sized(3, 10, 20), waited(5, "c", 3, 9, 60)), []string{Overlap}},
		"smaller":                       {slices.Concat(a, sized(1, 10, 20), waited(21, "c", 3, 30, 60)), []string{Overlap}},
		"smaller, but waited before":    {slices.Concat(a, sized(1, 10, 20), waited(19, "c", 3, 30, 60)), nil},
		"smaller, and not done":         {slices.Concat(a, sized(1, 10, 0), waited(21, "c", 3, 30, 60)), nil},
		"smaller, when both have ended": {slices.Concat(a, b, sized(1, 10, 20), waited(21, "c", 3, 51, 60)), nil},
		"smaller, an older token":       {slices.Concat(b, sized(1, 10, 20), waited(21, "a", 1, 51, 60)), []string{TokenOrder}},
		"larger, then smaller":          {slices.Concat(a, b, sized(3, 10, 12), sized(2, 13, 15), waited(16, "c", 3, 17, 60)), []string{Overlap}},
		"larger beside smaller":         {slices.Concat(a, b, sized(3, 10, 14), sized(2, 11, 13), waited(16, "c", 3, 17, 60)), nil},
		"a slot of a larger one":        {slices.Concat(sized(3, 1, 2), waited(5, "c", 3, 6, 60, 2)), nil},
		"a slot of no size":             {slices.Concat(sized(3, 1, 2), waited(5, "c", 3, 6, 60, 3)), []string{Outside}},
		"a slot of a former size":       {slices.Concat(sized(1, 1, 2), waited(5, "c", 3, 6, 60, 1)), []string{Outside}},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []Line
			for _, id := range []string{"a", "b", "c", "r"} {
				lines = append(lines, contender(id, "semaphore", 2))
			}
			want(t, append(lines, c.history...), c.want...)
		})
	}
}
