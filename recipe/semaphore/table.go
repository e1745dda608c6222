package semaphore

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
)

// table tells which permit has taken a slot last. No entry is deleted: a slot is free when that
// permit is over. The record holds the table as "0:17 3:22": slot 0 belongs to the permit with the
// number 17. A nil table means that the table was lost: then nobody can take a slot.
type table map[int]string

// holderOf is how a table names a permit: by its number, or by all of its name where the server has
// no numbers left.
func holderOf(n line.Name) string {
	if number := line.NumberOf(n); number != line.NoNumber {
		return strconv.FormatInt(number, 10)
	}
	return n.Full
}

// String returns the table as the record holds it.
func (t table) String() string {
	var b strings.Builder
	for i := range maxSlots {
		if holder, ok := t[i]; ok {
			fmt.Fprintf(&b, " %d:%s", i, holder)
		}
	}
	return b.String()
}

// parseTable reads a table.
func parseTable(text string) (table, error) {
	t := table{}
	for _, word := range strings.Fields(text) {
		number, holder, ok := strings.Cut(word, ":")
		i, err := strconv.Atoi(number)
		if err != nil || !ok || i < 0 || i >= maxSlots || holder == "" || t[i] != "" {
			return nil, fmt.Errorf("%q: want another slot below %d and its holder", word, maxSlots)
		}
		t[i] = holder
	}
	return t, nil
}

// take returns the table in which a permit has as many of the first size slots as it wants, and
// which they are, in order: those that it has already, then those that are free. It is not ok if
// there are too few. A table has at most maxSlots of them, even if the size is larger.
func (t table) take(holder string, want, size int, free func(holder string) bool) (after table, slots []int, ok bool) {
	after = table{}
	for i, h := range t {
		after[i] = h
	}
	for _, mine := range []bool{true, false} {
		for i := 0; i < min(size, maxSlots) && len(slots) < want; i++ {
			if mine && t[i] == holder || !mine && t[i] != holder && (t[i] == "" || free(t[i])) {
				slots, after[i] = append(slots, i), holder
			}
		}
	}
	slices.Sort(slots)
	return after, slots, len(slots) == want
}

// byHolder returns the slots of each permit, in order.
func (t table) byHolder() map[string][]int {
	all := map[string][]int{}
	for _, i := range slices.Sorted(maps.Keys(t)) {
		all[t[i]] = append(all[t[i]], i)
	}
	return all
}
