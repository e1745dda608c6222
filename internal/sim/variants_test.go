package sim

import (
	"bytes"
	"os/exec"
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
	command                 func(args ...string) *exec.Cmd // runs the tests with it
	what, invariant, faults string
	first, seeds, ticks     int
	test                    string // that has to catch it
}

func newBroken(t *testing.T, variant variant.Variant, command func(args ...string) *exec.Cmd) (v broken) {
	t.Helper()
	var err error
	v = broken{command: command, faults: strings.Join(faultKinds, ","), first: 1, test: "TestSeeds"}
	for key, value := range variant.Head {
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
func (v broken) search(faults string, seeds int) (out string, passed bool) {
	text, err := v.command("-test.run", "^"+v.test+"$", "-test.v", "-plain", "-faults", faults,
		"-first", strconv.Itoa(v.first), "-seeds", strconv.Itoa(seeds), "-ticks", strconv.Itoa(v.ticks)).CombinedOutput()
	return string(text), err == nil
}

func TestEveryVariantIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: the variants are compiled")
	}
	set := variant.ReadSet(t, "../..")
	if raceEnabled {
		moreSeeds(t, set)
	}
	set.EachInParallel(t, func(t *testing.T, v variant.Variant, command func(args ...string) *exec.Cmd) {
		newBroken(t, v, command).isCaught(t)
	})
}

// moreSeeds runs many seeds without the race detector, with which a seed takes many times as long. They also show that
// only what is broken is caught.
func moreSeeds(t *testing.T, set *variant.Set) {
	for _, test := range []string{"TestSeeds", "TestLocks", "TestOthers", "TestSeedsOfSemaphores", "TestAnUndisturbedLeaderKeepsItsTermForAnHour"} {
		t.Run("none/"+test, func(t *testing.T) {
			t.Parallel()
			if out, err := set.Unbroken(t, "-test.run", "^"+test+"$", "-test.v").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+test)) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func (v broken) isCaught(t *testing.T) {
	begun := time.Now()
	if v.faults == "none" { // it is to be caught without
		v.faults = ""
	} else if out, passed := v.search("", 1); !passed {
		t.Fatalf("it fails without any fault:\n%s", out)
	}
	out, passed := v.search(v.faults, v.seeds)
	if passed {
		t.Fatalf("not caught within %d seeds: %s", v.seeds, v.what)
	}
	caught := regexp.MustCompile("seed .* VIOLATION " + v.invariant + " .*").FindString(out)
	if caught == "" {
		t.Fatalf("not caught on %q:\n%s", v.invariant, out)
	}
	t.Logf("caught in %v: %s", time.Since(begun).Round(100*time.Millisecond), caught)
}
