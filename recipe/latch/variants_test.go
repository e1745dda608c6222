package latch_test

import (
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// Each variant breaks one property. A test that does not notice is worth nothing.
func TestEveryBrokenVariantIsCaught(t *testing.T) { variant.EachIsCaught(t, "../..") }
