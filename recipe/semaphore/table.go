package semaphore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table is what P/slots holds as its data: the name of the permit's znode that has taken a slot
// last. Nobody is deleted from it: a slot is free when that permit is over. As text:
//
//	zkrecipe slots 1
//	0 _c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-lease-0000000017
type table map[int]string

const tableHead = "zkrecipe slots 1"

// String returns the table as the znode holds it.
func (t table) String() string {
	var b strings.Builder
	b.WriteString(tableHead + "\n")
	for i := range maxSlots {
		if name, ok := t[i]; ok {
			fmt.Fprintf(&b, "%d %s\n", i, name)
		}
	}
	return b.String()
}

// parseTable reads a table.
func parseTable(data []byte) (table, error) {
	text, found := strings.CutPrefix(string(data), tableHead+"\n")
	if !found {
		return nil, fmt.Errorf("they do not begin with the line %q", tableHead)
	}
	t := table{}
	for l := range strings.Lines(text) {
		number, name, ok := strings.Cut(strings.TrimSuffix(l, "\n"), " ")
		i, err := strconv.Atoi(number)
		if err != nil || !ok || i < 0 || i >= maxSlots || name == "" || t[i] != "" {
			return nil, fmt.Errorf("line %q: want another slot below %d and a name", strings.TrimSuffix(l, "\n"), maxSlots)
		}
		t[i] = name
	}
	return t, nil
}

// take returns the table in which a permit has as many of the first size slots as it wants, and which
// they are, in order: those that it has already, then those that are free. It is not ok if there are too few.
func (t table) take(name string, want, size int, free func(name string) bool) (after table, slots []int, ok bool) {
	after = table{}
	for i, n := range t {
		after[i] = n
	}
	for _, mine := range []bool{true, false} {
		for i := 0; i < size && len(slots) < want; i++ {
			if mine && t[i] == name || !mine && t[i] != name && (t[i] == "" || free(t[i])) {
				slots, after[i] = append(slots, i), name
			}
		}
	}
	slices.Sort(slots)
	return after, slots, len(slots) == want
}
