// Package rounds tells tests that only compute how many rounds to run. "make long" runs all, except
// those that -short leaves out. With the race detector they take five to ten times as long, and a
// race shows in few rounds, so with the race detector a part of the rounds is run. "make test" uses
// it if there is a C compiler. "make quick" runs a part of the rounds, too: it sets ZKRECIPE_QUICK.
package rounds

import (
	"os"
	"testing"
)

// few says whether a part of the rounds is enough.
func few() bool { return RaceDetector || os.Getenv("ZKRECIPE_QUICK") != "" }

// Stride returns 1, or n where a part of the rounds is enough. A test runs every Stride-th round.
func Stride(n int) int {
	if few() {
		return n
	}
	return 1
}

// All skips a test that is of no use with a part of its rounds.
func All(t testing.TB) {
	t.Helper()
	if few() {
		t.Skip("SKIP: it needs all of its rounds: make long")
	}
}
