package sim

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// Plans draw faults by their position in faultKinds.
func TestEveryFaultCanBeDrawnAndBegun(t *testing.T) {
	names := slices.Clone(faultKinds)
	slices.Sort(names)
	if begun := slices.Sorted(maps.Keys(faults)); !slices.Equal(names, begun) {
		t.Errorf("names in plans %q\nfaults that can begin %q", names, begun)
	}
}

// Otherwise nothing would be promised when an administrator overwrites a record.
func TestLeasesOfPlansAreShorterThanTheDefault(t *testing.T) {
	for seed := range int64(1000) {
		if p := newPlan(seed, time.Minute, faultKinds); p.Lease >= session.DefaultLease {
			t.Fatalf("seed %d: a lease of %v", seed, p.Lease)
		}
	}
}
