// Package race tells tests that only compute how much to do. With the race detector they take five to ten times as
// long, and a race shows in few rounds. So "make test", which looks for races, runs a part of the rounds, and "make
// quick", which does not, runs all.
package race

import "testing"

// Stride returns 1, or n with the race detector: a test takes every round so far from the last one.
func Stride(n int) int {
	if Enabled {
		return n
	}
	return 1
}

// Skip leaves out a test that a part of the rounds would not serve.
func Skip(t testing.TB) {
	t.Helper()
	if Enabled {
		t.Skip("SKIP: runs without the race detector: make quick")
	}
}
