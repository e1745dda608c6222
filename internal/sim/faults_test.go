package sim

import (
	"maps"
	"slices"
	"testing"
)

// Plans draw faults by their position in faultKinds. Those of locks are only drawn where there are
// locks.
func TestEveryFaultCanBeDrawnAndBegun(t *testing.T) {
	names := append(slices.Clone(faultKinds), "admin deletes contender")
	slices.Sort(names)
	if begun := slices.Sorted(maps.Keys(faults)); !slices.Equal(names, begun) {
		t.Errorf("names in plans %q\nfaults that can begin %q", names, begun)
	}
}
