package history

import (
	"slices"
	"testing"
)

// uses is a use of a register: it writes left, or reads it again.
func uses(id, event string, began, ms int64, found, left string) Line {
	l := line(ms, id, event, 1)
	l.Began, l.Found, l.Left = began*1e6, found, left
	return l
}

func TestALostUpdateIsCaught(t *testing.T) {
	wrote := func(id string, began, ms int64, found, left, outcome string) []Line {
		l := uses(id, "wrote", began, ms, found, left)
		l.Outcome = outcome
		return []Line{uses(id, "writing", began, ms-1, found, left), l}
	}
	read := func(began, ms int64, found, left string) []Line {
		return []Line{uses("c", "read", began, ms, found, left)}
	}
	// b reads and writes while a is between its read and its write.
	between := func(outcome string) []Line {
		return slices.Concat(wrote("b", 2, 4, "", "y", "ok"), wrote("a", 1, 5, "", "x", outcome))
	}
	first := func(outcome string) []Line { return wrote("a", 1, 3, "", "x", outcome) }
	killed := first("")[:1]
	erased := []Line{mark(0, "erasing", ""), mark(0, "erased", "")}
	diverged := mark(6, "diverged", "")
	diverged.Text = "server 1 has more"
	lost := []string{LostUpdate}
	for name, c := range map[string]struct {
		history []Line
		want    []string
	}{
		"in turn":              {slices.Concat(first("ok"), wrote("b", 4, 6, "x", "y", "ok")), nil},
		"a lost update":        {between("ok"), lost},
		"a refused one":        {between("refused"), nil},
		"an unknown one":       {between("unknown"), nil},
		"its path was deleted": {slices.Concat(erased, between("ok")), nil},
		"servers differ":       {append(between("ok"), diverged), nil},
		"unknown, and read":    {slices.Concat(first("unknown"), read(4, 5, "x", "x")), nil},
		"refused, and read":    {slices.Concat(first("refused"), read(4, 5, "x", "x")), lost},
		"killed, and read":     {slices.Concat(killed, read(4, 5, "x", "x")), nil},
		"killed, read late":    {slices.Concat(killed, read(4, 5, "", ""), read(6, 7, "x", "x")), nil},
		"killed, and written late": {
			slices.Concat(killed, wrote("b", 4, 5, "", "y", "ok"), read(6, 7, "x", "x")), lost},
		"a reader sees it change": {slices.Concat(first("ok"), read(2, 4, "", "x")), lost},
		"it changes, told early":  {slices.Concat(killed, read(2, 4, "", "x"), first("ok")[1:]), lost},
		"of two locks": {
			slices.Concat(at("/a", first("ok")), at("/b", wrote("b", 1, 3, "", "y", "ok"))), nil},
		"of two locks, one wrong": {
			slices.Concat(at("/a", first("ok")), at("/b", wrote("b", 4, 5, "x", "y", "ok"))), lost},
	} {
		t.Run(name, func(t *testing.T) { want(t, c.history, c.want...) })
	}
}
