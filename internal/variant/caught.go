package variant

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// EachIsCaught demands that each variant in testdata/variants is caught: the test that the line
// "test: " names, of the package in the current directory, fails or crashes with it. The module is
// at root.
func EachIsCaught(t *testing.T, root string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: the variants are compiled")
	}
	set := ReadSet(t, root)
	tests := map[string]bool{}
	for _, v := range set.Variants {
		test, _, _ := strings.Cut(v.Head["test"], "/")
		tests[test] = true
	}
	all := "^(" + strings.Join(slices.Sorted(maps.Keys(tests)), "|") + ")$"
	if out, err := set.Unbroken(t, "-test.run", all).CombinedOutput(); err != nil {
		t.Fatalf("the tests fail with no variant chosen: %v\n%s", err, out)
	}
	set.EachInParallel(t, func(t *testing.T, v Variant, broken func(args ...string) *exec.Cmd) {
		pattern := "^" + strings.ReplaceAll(v.Head["test"], "/", "$/^") + "$"
		out, err := broken("-test.timeout", "5m", "-test.run", pattern).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--- FAIL") && !strings.Contains(string(out), "panic: runtime error") {
			t.Errorf("not caught by %s: %s\n%s", v.Head["test"], v.Head["what"], out)
		}
	})
}
