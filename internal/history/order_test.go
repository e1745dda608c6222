package history

import (
	"slices"
	"testing"
)

// node is a line with the znode that a contender holds or stands in line with.
func node(l Line, node string) Line {
	l.Node = node
	return l
}

// by is held, with this znode.
func by(znode string, lines []Line) []Line {
	lines[0].Node = znode
	return lines
}

// gone is a line of somebody who has seen that a znode has gone, with older ones before and after
// that.
func gone(ms int64, node string, ahead ...string) Line {
	l := mark(ms, "gone", node)
	l.Ahead = ahead
	return l
}

// In most of these, the one that is overtaken tells nothing more: tokens do not show it.
func TestOneThatOvertakesIsCaught(t *testing.T) {
	const w5, w6, r5, r6 = "__WRIT__000005", "__WRIT__000006", "__READ__000005", "__READ__000006"
	overtaken := []string{Order}
	// holds is all about a, which holds with a znode of that name until others see that it is gone.
	holds := func(name string, ahead ...string) []Line {
		return append(by("/l/"+name, held("a", 6, 0, 10)), gone(11, "/l/"+name, ahead...))
	}
	const place = "/s/locks/6"
	enters := func(ms int64) []Line { return []Line{node(line(ms, "a", "entered", 0), place)} }
	abandons := func(ms int64) []Line { return []Line{node(line(ms, "a", "abandoned", 0), place)} }
	passes := func(ms int64) []Line { return []Line{gone(ms, place, "5")} }
	again, permit := []Line{contender("a", "semaphore", 2)}, held("a", 9, 5, 10)
	two, slotted := by("/l/6", several(2, held("a", 6, 0, 10))), by("/l/6", held("a", 6, 0, 10, 1))
	for name, c := range map[string]struct {
		recipe  string
		history []Line
		want    []string
	}{
		"in turn":                     {"write", holds(w6), nil},
		"a writer passes a writer":    {"write", holds(w6, w5), overtaken},
		"a writer passes a reader":    {"write", holds(w6, r5), overtaken},
		"a reader passes a writer":    {"read", holds(r6, w5), overtaken},
		"a reader passes a reader":    {"read", holds(r6, r5), nil},
		"seen at two servers":         {"write", append(holds(w6, w5), gone(12, "/l/"+w6, w5)), overtaken},
		"a reader passes both":        {"read", holds(r6, r5, w5), overtaken},
		"a lock, and not a beat":      {"lock", append(holds("6")[:1:1], gone(11, "/l/6", "5")), overtaken},
		"one that has got nothing":    {"lock", []Line{gone(11, "/l/6", "5")}, nil},
		"a permit within the size":    {"semaphore", holds("6", "5"), nil},
		"a permit beyond the size":    {"semaphore", holds("6", "4", "5"), overtaken},
		"two permits, older ones too": {"semaphore", append(two, gone(11, "/l/6", "5")), overtaken},
		"a permit with a slot":        {"semaphore", append(slotted, gone(11, "/l/6", "4", "5")), overtaken},
		"only a second server shows it": {
			"read", append(holds(r6, r5), gone(12, "/l/"+r6, w5)), overtaken},
		"in line for a permit": {
			"semaphore", slices.Concat(enters(0), permit, passes(11)), overtaken},
		"in line for it, told early": {
			"semaphore", slices.Concat(enters(0), passes(4), permit), overtaken},
		"a place that was abandoned": {
			"semaphore", slices.Concat(enters(0), passes(1), permit, abandons(11)), nil},
		"killed on the way": {
			"semaphore", slices.Concat(enters(0), passes(1), again, permit), nil},
		"in line, and not served yet": {
			"semaphore", slices.Concat(permit, enters(11), passes(12)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, append([]Line{contender("a", c.recipe, 2)}, c.history...), c.want...)
		})
	}
	// In an election, others may plant znodes with smaller numbers.
	want(t, append(led("a", 6, 0, 10), gone(11, "/e/a", "5")))
	diverged := mark(12, "diverged", "")
	diverged.Text = "server 1 has more"
	want(t, slices.Concat([]Line{contender("a", "lock", 0)}, holds("6", "5"), []Line{diverged}))
}
