package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A variant is a deliberately broken version of the library: some places of its source
// replaced. The files in testdata/variants say what is broken, on which invariant it has to be
// caught, within how many seeds, and under which faults.
type variant struct {
	what, invariant, faults string
	first, seeds, ticks     int
	edits                   []edit
}

type edit struct{ file, old, new string }

func readVariant(t *testing.T, file string) (v variant) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "=== ")
	v.faults, v.first = strings.Join(faultKinds, ","), 1
	for _, line := range strings.Split(strings.TrimSpace(head), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "what":
			v.what = value
		case "invariant":
			v.invariant = value
		case "faults":
			v.faults = value
		case "ticks":
			v.ticks, err = strconv.Atoi(value)
		case "first":
			v.first, err = strconv.Atoi(value)
		case "seeds":
			v.seeds, err = strconv.Atoi(value)
		default:
			t.Fatalf("%s: what is %q?", file, line)
		}
	}
	for _, part := range strings.Split(rest, "=== ") {
		name, body, _ := strings.Cut(part, "\n--- old\n")
		before, after, ok := strings.Cut(body, "\n--- new\n")
		if !ok {
			t.Fatalf("%s: an edit of %s without old or new", file, name)
		}
		v.edits = append(v.edits, edit{name, before, strings.TrimSuffix(after, "\n")})
	}
	if v.what == "" || v.invariant == "" || v.seeds == 0 || err != nil {
		t.Fatalf("%s: incomplete: %+v (%v)", file, v, err)
	}
	return v
}

// build compiles this package's tests with the variant in place of the library.
func (v variant) build(t *testing.T, dir string) (binary string) {
	t.Helper()
	replaced := map[string]string{}
	for _, e := range v.edits {
		file, err := filepath.Abs(filepath.Join("../..", e.file))
		if err != nil {
			t.Fatal(err)
		}
		source := file
		if earlier, ok := replaced[file]; ok {
			source = earlier
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("the variant no longer applies: %s has this %d times, want once:\n%s", e.file, n, e.old)
		}
		out := filepath.Join(dir, fmt.Sprintf("%d.go", len(replaced)))
		if earlier, ok := replaced[file]; ok {
			out = earlier
		}
		if err := os.WriteFile(out, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		replaced[file] = out
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "sim.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the variant does not compile: %v\n%s", err, out)
	}
	return binary
}

// search runs seeds in a binary and returns what it prints.
func search(binary, faults string, first, seeds, ticks int) (out string, passed bool) {
	text, err := exec.Command(binary, "-test.run", "^TestSeeds$", "-test.v", "-plain", "-faults", faults,
		"-first", strconv.Itoa(first), "-seeds", strconv.Itoa(seeds), "-ticks", strconv.Itoa(ticks)).CombinedOutput()
	return string(text), err == nil
}

func TestEveryVariantIsCaught(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIP: the variants run without the race detector")
	}
	files, err := filepath.Glob("testdata/variants/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d variants found (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // each has a process of its own
			readVariant(t, file).isCaught(t)
		})
	}
}

func (v variant) isCaught(t *testing.T) {
	begun := time.Now()
	binary := v.build(t, t.TempDir())
	if v.faults == "none" { // it is to be caught without
		v.faults = ""
	} else if out, passed := search(binary, "", v.first, 1, v.ticks); !passed {
		t.Fatalf("it fails without any fault:\n%s", out)
	}
	out, passed := search(binary, v.faults, v.first, v.seeds, v.ticks)
	if passed {
		t.Fatalf("not caught within %d seeds: %s", v.seeds, v.what)
	}
	caught := regexp.MustCompile("seed .* VIOLATION " + v.invariant + " .*").FindString(out)
	if caught == "" {
		t.Fatalf("not caught on %q:\n%s", v.invariant, out)
	}
	t.Logf("caught in %v: %s", time.Since(begun).Round(100*time.Millisecond), caught)
}
