//go:build go1.26

package sim

import (
	"testing"
	"testing/cryptotest"
)

// fixRandom makes the names of znodes, which come from crypto/rand, those of the seed.
func fixRandom(t *testing.T, seed int64) { cryptotest.SetGlobalRandom(t, uint64(seed)) }
