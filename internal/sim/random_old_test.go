//go:build !go1.26

package sim

import "testing"

// fixRandom does nothing: before Go 1.26 a seed does not decide about the names of znodes.
func fixRandom(*testing.T, int64) {}
