// Package race tells tests that only compute how many rounds to run. With the race detector they take five to ten
// times as long, and a race shows in few rounds. So "make test", which looks for races, runs a part of the rounds.
// "make quick" runs all, without the race detector.
package race

import "testing"

// Stride returns 1, or n with the race detector. A test runs every Stride-th round.
func Stride(n int) int {
	if Enabled {
		return n
	}
	return 1
}

// Skip skips a test with the race detector, if the test is of no use with a part of its rounds.
func Skip(t testing.TB) {
	t.Helper()
	if Enabled {
		t.Skip("SKIP: runs without the race detector: make quick")
	}
}
