package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/rounds"
)

var (
	seedFlag       = flag.Int64("seed", 0, "run this seed alone, with a trace")
	firstFlag      = flag.Int64("first", 1, "the first seed")
	seedsFlag      = flag.Int("seeds", seedsInTest, "how many seeds to run")
	kindsFlag      = flag.String("faults", strings.Join(faultKinds, ","), "the kinds of faults, separated by commas; empty for none")
	ticksFlag      = flag.Int("ticks", 0, "the session timeout in ticks; 0 lets the seed decide")
	lengthFlag     = flag.Duration("length", lengthInTest, "how long a seed is simulated")
	leaseFlag      = flag.Int("lease", 0, "the session timeout is so many leases; 0 lets the seed decide")
	numbersFlag    = flag.String("numbers", "", "what becomes of sequence numbers after the last one, wrap or stick; empty lets the seed decide")
	plainFlag      = flag.Bool("plain", false, "report a violation as it is, without making its plan small")
	onlyFlag       = flag.String("only", "", "look for violations of this invariant alone")
	semaphoresFlag = flag.Int("semaphores", 0, "so many semaphores in place of elections")
	locksFlag      = flag.Bool("locks", false, "simulate locks beside the elections, for a quarter of the time")
	aloneFlag      = flag.Bool("alone", false, "with -locks: in place of the elections")
	othersFlag     = flag.Bool("others", false, "simulate groups, counters, caches and barriers beside the elections, for a quarter of the time")
	hoursFlag      = flag.Float64("hours", 0, "simulate so many cluster-hours in TestSoak")
)

// With -short TestSeeds runs so many seeds, each for so long.
const (
	seedsInShort  = 3
	lengthInShort = time.Minute
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		*seedsFlag, *lengthFlag = min(*seedsFlag, seedsInShort), min(*lengthFlag, lengthInShort)
	}
	if !rounds.RaceDetector {
		// Goroutines then take turns in an order that does not depend on the machine.
		runtime.GOMAXPROCS(1)
	}
	os.Exit(m.Run())
}

// kinds returns the kinds of faults asked for.
func kinds() (all []string) {
	for _, k := range strings.Split(*kindsFlag, ",") {
		if k = strings.TrimSpace(k); k != "" {
			all = append(all, k)
		}
	}
	return all
}

// planOf makes the plan of a seed as the flags ask for it.
func planOf(seed int64) Plan {
	plan := newPlan(seed, *lengthFlag, kinds())
	if *ticksFlag > 0 {
		plan.Timeout = time.Duration(*ticksFlag) * tick
	}
	if *locksFlag {
		plan = newPlan(seed, *lengthFlag/4, kinds())
		plan.Locks = 1 + int(seed%3)
		if *aloneFlag {
			plan.Elections = 0
		}
	}
	if *othersFlag {
		plan = newPlan(seed, *lengthFlag/4, kinds())
		plan.Others = true
	}
	if *semaphoresFlag > 0 {
		plan.Semaphores, plan.Elections = *semaphoresFlag, 0
	}
	if *leaseFlag > 0 {
		plan.Lease = plan.Timeout / time.Duration(*leaseFlag)
	}
	if *numbersFlag != "" && len(kinds()) > 0 {
		plan.Wraps, plan.Sticks = *numbersFlag == "wrap", *numbersFlag == "stick"
	}
	return plan
}

// simulate runs a plan in a bubble of its own.
func simulate(t *testing.T, plan Plan, tracing bool) (result Result) {
	t.Helper()
	fixRandom(t, plan.Seed)
	synctest.Test(t, func(t *testing.T) { result = run(plan, tracing) })
	return result
}

// fail reports a violation with the smallest plan that still shows it.
func fail(t *testing.T, plan Plan, v Violation) {
	t.Helper()
	// Two goroutines that wake at one instant may run in either order, so a plan gets three
	// chances.
	again := func(p Plan) bool {
		for range 3 {
			for _, w := range simulate(t, p, false).Violations {
				if w.Invariant == v.Invariant {
					return true
				}
			}
		}
		return false
	}
	small := plan
	if again(plan) {
		small = shrink(plan, again)
	} else {
		t.Logf("seed %d did not fail again", plan.Seed)
	}
	trace := simulate(t, small, true).Trace
	file := fmt.Sprintf("%s/zkrecipe-sim-%d.trace", os.TempDir(), plan.Seed)
	os.WriteFile(file, []byte(small.String()+strings.Join(trace, "\n")+"\n"), 0o644)
	t.Errorf("seed %d: %v\nsmallest plan: %vtrace of the smallest plan: %s", plan.Seed, v, small, file)
}

// TestSeeds searches a few seeds, or one.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		plan := planOf(*seedFlag)
		t.Log(plan)
		result := simulate(t, plan, true)
		for _, line := range result.Trace {
			fmt.Println(line)
		}
		for _, v := range result.Violations {
			t.Error(v)
		}
		return
	}
	search(t, *seedsFlag, planOf)
}

// TestLocks is TestSeeds with locks beside the elections.
func TestLocks(t *testing.T) {
	defer func(was bool) { *locksFlag = was }(*locksFlag)
	*locksFlag = true
	TestSeeds(t)
}

// TestOthers is TestSeeds with members, a counter, caches and a double barrier beside the
// elections.
func TestOthers(t *testing.T) {
	defer func(others bool, seeds int) { *othersFlag, *seedsFlag = others, seeds }(*othersFlag, *seedsFlag)
	*othersFlag = true
	if *seedsFlag == seedsInTest {
		*seedsFlag = (seedsInTest + 3) / 4
	}
	TestSeeds(t)
}

// TestSeedsOfSemaphores searches a few seeds with semaphores in place of elections.
func TestSeedsOfSemaphores(t *testing.T) {
	seeds := *seedsFlag
	if seeds == seedsInTest {
		seeds = (seeds + 3) / 4
	}
	search(t, seeds, func(seed int64) Plan {
		plan := planOf(seed)
		plan.Semaphores, plan.Elections = 1, 0
		return plan
	})
}

// search runs so many seeds.
func search(t *testing.T, seeds int, planOf func(seed int64) Plan) {
	begun := time.Now()
	var total Result
	for i := range seeds {
		plan := planOf(*firstFlag + int64(i))
		result := simulate(t, plan, false)
		total.Terms += result.Terms
		total.Acquired += result.Acquired
		total.Faults += result.Faults
		total.Length += result.Length
		result.Violations = slices.DeleteFunc(result.Violations, func(v Violation) bool {
			return *onlyFlag != "" && v.Invariant != *onlyFlag
		})
		if len(result.Violations) > 0 {
			if *plainFlag {
				for _, v := range result.Violations {
					t.Errorf("seed %d: VIOLATION %v", plan.Seed, v)
				}
				return
			}
			fail(t, plan, result.Violations[0])
			return
		}
	}
	t.Logf("%.2f cluster-hours, %d faults, %d terms, %d acquisitions, no violation, in %v", total.Length.Hours(), total.Faults, total.Terms, total.Acquired, time.Since(begun).Round(time.Second))
	if total.Terms == 0 && total.Acquired == 0 || *locksFlag && total.Acquired == 0 {
		t.Error("nobody was ever elected, or held a lock or a permit: nothing was tested")
	}
}
