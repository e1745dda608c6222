package variant

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Set is the variants of the package in the current directory: the files in testdata/variants.
type Set struct {
	Variants map[string]Variant
	root     string
	together string   // the binary that has all the others in it
	alone    []string // those that need a binary of their own
}

// ReadSet reads the variants and compiles the package's tests with them. The module is at root.
func ReadSet(t *testing.T, root string) *Set {
	t.Helper()
	files, err := filepath.Glob("testdata/variants/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d variants found (%v)", len(files), err)
	}
	s := &Set{Variants: map[string]Variant{}, root: root, together: filepath.Join(t.TempDir(), "broken.test")}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if s.Variants[name], err = Read(file); err != nil {
			t.Fatal(err)
		}
	}
	overlay, alone, err := Together(root, t.TempDir(), s.Variants)
	if err != nil {
		t.Fatal(err)
	}
	s.alone = alone
	compile(t, overlay, "test", "-c", "-vet=off", "-o", s.together, ".")
	return s
}

// EachInParallel runs a subtest for each variant. The command that it gets runs the package's tests
// with that variant.
func (s *Set) EachInParallel(t *testing.T, test func(t *testing.T, v Variant, broken func(args ...string) *exec.Cmd)) {
	for name, v := range s.Variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a process of its own
			binary := s.together
			if slices.Contains(s.alone, name) {
				binary = filepath.Join(t.TempDir(), "broken.test")
				v.Build(t, s.root, "test", "-c", "-vet=off", "-o", binary, ".")
			}
			test(t, v, func(args ...string) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), binary, args...)
				cmd.Env = append(os.Environ(), Chosen+"="+name)
				return cmd
			})
		})
	}
}

// Unbroken returns the command that runs the package's tests with no variant chosen.
func (s *Set) Unbroken(t *testing.T, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), s.together, args...)
}

// Build runs the go command, "build" or "test", with the variant in place of the module at root.
func (v Variant) Build(t *testing.T, root, command string, args ...string) {
	t.Helper()
	overlay, err := v.Overlay(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	compile(t, overlay, command, args...)
}

func compile(t *testing.T, overlay, command string, args ...string) {
	t.Helper()
	args = append([]string{command, "-overlay", overlay, "-ldflags", "-s -w"}, args...) // no debugger needs these programs
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("what is broken does not compile: %v\n%s", err, out)
	}
}
