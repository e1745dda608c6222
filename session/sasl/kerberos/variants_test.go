package kerberos_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of this package, each with the test that has
// to fail on it.
func TestEveryBrokenVariantIsCaught(t *testing.T) {
	realm(t) // or they would be skipped, and not caught
	needsKinit(t)
	if err := ensemble.Available(); err != nil {
		t.Skipf("SKIP: %v", err)
	}
	variant.EachIsCaught(t, "../../..")
}
