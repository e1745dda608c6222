package recipe_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of what the recipes share, each with the test
// that has to find it.
func TestEveryBrokenVariantIsCaught(t *testing.T) { variant.EachIsCaught(t, "..") }
