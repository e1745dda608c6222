package election_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of the line and the election, each with the
// test that has to find it. Those that a search finds are in internal/sim.
func TestEveryBrokenVariantIsCaught(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("SKIP: each variant is compiled by itself, and without the race detector")
	}
	files, err := filepath.Glob("testdata/variants/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d variants found (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // each has a process of its own
			v, err := variant.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			overlay, err := v.Overlay("../..", dir)
			if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(dir, "election.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("it does not compile: %v\n%s", err, out)
			}
			out, err := exec.CommandContext(t.Context(), binary, "-test.timeout", "100s", "-test.run", "^"+v.Head["test"]+"$").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("not caught by %s: %s\n%s", v.Head["test"], v.Head["what"], out)
			}
		})
	}
}
