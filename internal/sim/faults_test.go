package sim

import (
	"maps"
	"slices"
	"testing"
)

// Plans draw faults by their position in faultKinds.
func TestEveryFaultCanBeDrawnAndBegun(t *testing.T) {
	names := slices.Clone(faultKinds)
	slices.Sort(names)
	if begun := slices.Sorted(maps.Keys(faults)); !slices.Equal(names, begun) {
		t.Errorf("names in plans %q\nfaults that can begin %q", names, begun)
	}
}
