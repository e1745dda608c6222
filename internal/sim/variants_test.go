package sim

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// broken is a variant of the library. The files in testdata/variants say what is broken, on which
// invariant it has to be caught, within how many seeds, under which faults, and with which flags it
// is caught soon. If the faults are divided by "; ", each part has to catch it. If "also" names a
// test and its flags, that test has to catch it, too.
type broken struct {
	command                 func(args ...string) *exec.Cmd // runs the tests with it
	what, invariant, faults string
	seeds                   int
	flags                   []string // for the test, to catch it soon
	test                    string   // that has to catch it
	also                    []string // a further test and its flags
}

func newBroken(t *testing.T, variant variant.Variant, command func(args ...string) *exec.Cmd) (v broken) {
	t.Helper()
	var err error
	v = broken{command: command, faults: strings.Join(faultKinds, ","), test: "TestSeeds"}
	for key, value := range variant.Head {
		switch key {
		case "what":
			v.what = value
		case "invariant":
			v.invariant = value
		case "faults":
			v.faults = value
		case "flags":
			v.flags = strings.Fields(value)
		case "test":
			v.test = value
		case "also":
			v.also = strings.Fields(value)
		case "seeds":
			v.seeds, err = strconv.Atoi(value)
		default:
			t.Fatalf("what is %q?", key)
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	if v.what == "" || v.invariant == "" || v.seeds == 0 {
		t.Fatalf("incomplete: %+v", v)
	}
	return v
}

// search runs seeds and returns what is printed.
func (v broken) search(faults string, seeds int, flags ...string) (out string, passed bool) {
	args := []string{"-test.run", "^" + v.test + "$", "-test.v", "-plain", "-faults", faults, "-seeds", strconv.Itoa(seeds)}
	text, err := v.command(append(args, flags...)...).CombinedOutput()
	return string(text), err == nil
}

func TestEveryVariantIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: the variants are compiled")
	}
	set := variant.ReadSet(t, "../..")
	set.EachInParallel(t, func(t *testing.T, v variant.Variant, command func(args ...string) *exec.Cmd) {
		b := newBroken(t, v, command)
		b.isCaught(t)
		if len(b.also) > 0 {
			b.test, b.flags = b.also[0], b.also[1:]
			b.isCaught(t)
		}
	})
}

func (v broken) isCaught(t *testing.T) {
	begun := time.Now()
	if v.faults == "none" { // it is to be caught without
		v.faults = ""
	} else if out, passed := v.search("", 1, "-length", "2m"); !passed {
		t.Fatalf("it fails without any fault:\n%s", out)
	}
	for _, faults := range strings.Split(v.faults, "; ") {
		out, passed := v.search(faults, v.seeds, v.flags...)
		if passed {
			t.Errorf("not caught within %d seeds under %q: %s", v.seeds, faults, v.what)
			continue
		}
		caught := regexp.MustCompile("seed .* VIOLATION " + v.invariant + " .*").FindString(out)
		if caught == "" {
			t.Errorf("not caught on %q under %q:\n%s", v.invariant, faults, out)
		}
		t.Logf("caught in %v: %s", time.Since(begun).Round(100*time.Millisecond), caught)
	}
}
