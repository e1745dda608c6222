package variant

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// quickly has this module compiled without optimization and debug information: the compiler takes most of the time here.
const quickly = "-gcflags=github.com/zkrecipe/zkrecipe/...=-N -l -dwarf=false"

// EachIsCaught demands of each variant in testdata/variants that a test of the package in the
// current directory fails with it: the one that the line "test: " names. The module is at root.
func EachIsCaught(t *testing.T, root string) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: each variant is compiled by itself")
	}
	files, err := filepath.Glob("testdata/variants/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d variants found (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // each has a process of its own
			v, err := Read(file)
			if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(t.TempDir(), "broken.test")
			v.Build(t, root, "test", "-c", "-vet=off", quickly, "-ldflags=-s -w", "-o", binary, ".")
			pattern := "^" + strings.ReplaceAll(v.Head["test"], "/", "$/^") + "$"
			out, err := exec.CommandContext(t.Context(), binary, "-test.timeout", "100s", "-test.run", pattern).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("not caught by %s: %s\n%s", v.Head["test"], v.Head["what"], out)
			}
		})
	}
}

// Build runs the go command, "build" or "test", with the variant in place of the module at root.
func (v Variant) Build(t *testing.T, root, command string, args ...string) {
	t.Helper()
	overlay, err := v.Overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{command, "-overlay", overlay}, args...)
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("the variant does not compile: %v\n%s", err, out)
	}
}
