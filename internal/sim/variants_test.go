package sim

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// broken is a variant of the library. The files in testdata/variants say what is broken, on which
// invariant it has to be caught, within how many seeds, and under which faults.
type broken struct {
	variant.Variant
	what, invariant, faults string
	first, seeds, ticks     int
	test                    string // that has to catch it
}

func readVariant(t *testing.T, file string) (v broken) {
	t.Helper()
	parsed, err := variant.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	v = broken{Variant: parsed, faults: strings.Join(faultKinds, ","), first: 1, test: "TestSeeds"}
	for key, value := range v.Head {
		switch key {
		case "what":
			v.what = value
		case "invariant":
			v.invariant = value
		case "faults":
			v.faults = value
		case "ticks":
			v.ticks, err = strconv.Atoi(value)
		case "test":
			v.test = value
		case "first":
			v.first, err = strconv.Atoi(value)
		case "seeds":
			v.seeds, err = strconv.Atoi(value)
		default:
			t.Fatalf("%s: what is %q?", file, key)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", file, key, err)
		}
	}
	if v.what == "" || v.invariant == "" || v.seeds == 0 {
		t.Fatalf("%s: incomplete: %+v", file, v)
	}
	return v
}

// build compiles this package's tests with the variant in place of the library.
func (v broken) build(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(dir, "sim.test")
	v.Build(t, "../..", "test", "-c", "-vet=off", "-o", binary, ".")
	return binary
}

// search runs seeds in a binary and returns what it prints.
func (v broken) search(binary, faults string, seeds int) (out string, passed bool) {
	text, err := exec.Command(binary, "-test.run", "^"+v.test+"$", "-test.v", "-plain", "-faults", faults,
		"-first", strconv.Itoa(v.first), "-seeds", strconv.Itoa(seeds), "-ticks", strconv.Itoa(v.ticks)).CombinedOutput()
	return string(text), err == nil
}

func TestEveryVariantIsCaught(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("SKIP: each variant is compiled by itself, and without the race detector")
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

func (v broken) isCaught(t *testing.T) {
	begun := time.Now()
	binary := v.build(t, t.TempDir())
	if v.faults == "none" { // it is to be caught without
		v.faults = ""
	} else if out, passed := v.search(binary, "", 1); !passed {
		t.Fatalf("it fails without any fault:\n%s", out)
	}
	out, passed := v.search(binary, v.faults, v.seeds)
	if passed {
		t.Fatalf("not caught within %d seeds: %s", v.seeds, v.what)
	}
	caught := regexp.MustCompile("seed .* VIOLATION " + v.invariant + " .*").FindString(out)
	if caught == "" {
		t.Fatalf("not caught on %q:\n%s", v.invariant, out)
	}
	t.Logf("caught in %v: %s", time.Since(begun).Round(100*time.Millisecond), caught)
}
