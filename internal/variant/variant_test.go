package variant

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// Each variant of this program changes one line of what it prints.
const program = `package main

import (
	"fmt"
	"os"
	"strings"
)

const greeting = "hello"

type box[T any] struct{ all []T }

func (b *box[T]) put(_ string, all ...T) (n int, err error) {
	defer func() { n++ }()
	b.all = append(b.all, all...)
	n, err = len(b.all), nil
	return
}

func say(w *strings.Builder, s string) {
	if s == "" {
		return
	}
	fmt.Fprintln(w, greeting, s)
}

func main() {
	var w strings.Builder
	var b box[string]
	fmt.Fprintln(&w, "put")
	n, _ := b.put("", "a", "b")
	fmt.Fprintln(&w, n)
	say(&w, strings.Join(b.all, " "))
	fmt.Fprint(os.Stdout, w.String())
}
`

func TestManyVariantsAreCompiledTogether(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	write(t, root, "go.mod", "module example.org/program\n\ngo 1.25\n")
	file := write(t, root, "main.go", program)
	all := map[string]Variant{}
	for name, change := range map[string][2]string{
		"named results": {"	n, err = len(b.all), nil\n	return", "	six, err := 6, error(nil)\n	return six, err"},
		"variadic":      {"all...)", "all[1:]...)"},
		"no result":     {"greeting, s)", "s)"},
		"fewer imports": {`strings.Join(b.all, " ")`, `"c"`},
		"a constant":    {`"hello"`, `"goodbye"`},
		"more imports":  {`	"os"`, "	\"os\"\n	_ \"time\""},
	} {
		all[name] = Variant{edits: []edit{{"main.go", change[0], change[1]}}}
	}
	overlay, alone, err := Together(root, dir, all)
	if err != nil || !slices.Equal(alone, []string{"a constant", "more imports"}) {
		t.Fatalf("alone: %q, %v", alone, err)
	}
	binary := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{
		"":              "put 3 hello a b",
		"named results": "put 7 hello a b",
		"variadic":      "put 2 hello b",
		"no result":     "put 3 a b",
		"fewer imports": "put 3 hello c",
	} {
		run := exec.Command(binary)
		run.Env = append(os.Environ(), Chosen+"="+name)
		out, err := run.Output()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
			t.Errorf("%q prints %q, want %q (%v)", name, got, want, err)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != program {
		t.Error("the program itself was changed")
	}
}
