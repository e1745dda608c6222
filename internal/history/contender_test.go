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
		"as many as there are": {2, slices.Concat(held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 11, 30)), nil, 0},
		"one in one's instant": {2, slices.Concat(held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 10, 30)), []string{Overlap}, 0},
		"one too many":         {2, slices.Concat(held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 7, 30)), []string{Overlap}, 3 * time.Millisecond},
		"two too many":         {2, slices.Concat(held("a", 1, 0, 30), held("b", 2, 5, 30), held("c", 3, 10, 12), held("d", 4, 11, 40)), []string{Overlap, Overlap}, 19 * time.Millisecond},
		"one of one too many":  {1, slices.Concat(held("a", 1, 0, 10), held("b", 2, 5, 20)), []string{Overlap}, 5 * time.Millisecond},
		"one, an older token":  {1, slices.Concat(held("a", 2, 0, 10), held("b", 1, 15, 20)), []string{TokenOrder}, 0},
		"with slots and not":   {2, slices.Concat(held("a", 1, 0, 10, 0), held("b", 2, 5, 20), held("c", 3, 7, 30, 1)), []string{Overlap}, 3 * time.Millisecond},
		"a lease runs":         {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 30), held("c", 3, 20, 50)), []string{LeaseOutlive}, 0},
		"a lease is over":      {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 30), held("c", 3, 40, 50)), nil, 0},
		"a lease and room":     {2, slices.Concat(lost("a", 1, 0, 10, 40), held("b", 2, 5, 15), held("c", 3, 20, 50)), nil, 0},
		"no lease, no room":    {2, slices.Concat(lost("a", 1, 0, 10, 40), lost("b", 2, 0, 10, 50), held("c", 3, 20, 60)), []string{LeaseOutlive}, 0},
		"the path was deleted": {2, slices.Concat(erased, held("a", 1, 0, 10), held("b", 3, 5, 20), held("c", 2, 7, 30)), nil, 0},
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
