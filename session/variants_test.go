package session_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// The files in testdata/variants are broken versions of this package, each with the test that
// has to find it.
func TestEveryBrokenVariantIsCaught(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("SKIP: each variant is compiled by itself, and without the race detector")
	}
	files, err := filepath.Glob("testdata/variants/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d variants found (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // each has a process of its own
			v, err := variant.Read(file)
			must(t, err)
			dir := t.TempDir()
			overlay, err := v.Overlay("..", dir)
			must(t, err)
			binary := filepath.Join(dir, "session.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("it does not compile: %v\n%s", err, out)
			}
			pattern := "^" + strings.ReplaceAll(v.Head["test"], "/", "$/^") + "$"
			out, err := exec.CommandContext(t.Context(), binary, "-test.timeout", "60s", "-test.run", pattern).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("not caught by %s: %s\n%s", v.Head["test"], v.Head["what"], out)
			}
		})
	}
}
