package theirs

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// asked ends the test unless this run is about other libraries: it takes minutes, so it has a
// target of its own.
func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("ZKRECIPE_THEIRS") == "" {
		t.Skip(`SKIP: the tests of other libraries are run by "make theirs"`)
	}
}

// compare demands that those tests failed that are known to fail on zktest, and no others. On real
// servers it only tells.
func compare(t *testing.T, r report, known map[string]string, least int) {
	t.Helper()
	tell(t, r, known, least)
	if *onReal {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.failed)) {
		if known[name] == "" {
			t.Errorf("%s fails on zktest", name)
		}
	}
	for name, why := range known {
		if _, failed := r.failed[name]; !failed {
			t.Errorf("%s does not fail on zktest, where: %s", name, why)
		}
	}
}

// tell shows what failed that is not known, and demands that so many have passed.
func tell(t *testing.T, r report, known map[string]string, least int) {
	t.Helper()
	t.Logf("%d pass, %d fail, %d skip themselves", r.passed, len(r.failed), r.skipped)
	for _, name := range slices.Sorted(maps.Keys(r.failed)) {
		if known[name] == "" {
			t.Logf("%s fails:\n%s", name, r.failed[name])
		}
	}
	if r.passed < least {
		t.Errorf("%d have passed; want %d", r.passed, least)
	}
}
