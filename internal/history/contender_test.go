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
