package semaphore_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of this package, each with the test that has
// to find it. More are in internal/sim.
func TestEveryBrokenVariantIsCaught(t *testing.T) { variant.EachIsCaught(t, "../..") }
