package election_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of the line and the election, each with the
// test that has to find it. Those that a search finds are in internal/sim.
func TestEveryBrokenVariantIsCaught(t *testing.T) { variant.EachIsCaught(t, "../..") }
