package variant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEveryEditOfAVariantIsAppliedOnceAndInOrder(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	write(t, root, "a.go", "one\ntwo\n")
	write(t, root, "b.go", "three\n")
	v, err := Read(write(t, dir, "v.txt", "what: all\n"+
		"=== a.go\n--- old\none\n--- new\n1\n=== b.go\n--- old\nthree\n--- new\n3\n=== a.go\n--- old\n1\ntwo\n--- new\n12\n"))
	if err != nil || v.Head["what"] != "all" {
		t.Fatal(v, err)
	}
	overlay, err := v.Overlay(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(overlay)
	for name, want := range map[string]string{"0.go": "12\n", "1.go": "3\n"} {
		got, _ := os.ReadFile(filepath.Join(dir, name))
		if string(got) != want || !strings.Contains(string(text), filepath.Join(dir, name)) {
			t.Errorf("%s holds %q, want %q; %s", name, got, want, text)
		}
	}
}

func TestAVariantThatNoLongerAppliesIsAnError(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	write(t, root, "a.go", "one one\n")
	for _, old := range []string{"two", "one"} {
		v, err := Read(write(t, dir, "v.txt", "what: x\n=== a.go\n--- old\n"+old+"\n--- new\n1\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Overlay(root, dir); err == nil || !strings.Contains(err.Error(), "no longer applies") {
			t.Errorf("%s: %v", old, err)
		}
	}
	for _, text := range []string{"nonsense\n=== a.go\n--- old\n1\n--- new\n2\n", "what: x\n=== a.go\n--- old\n1\n", "what: x\n"} {
		if _, err := Read(write(t, dir, "v.txt", text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
