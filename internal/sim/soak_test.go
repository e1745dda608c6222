package sim

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakChunk is how many seeds one process runs in a row.
const soakChunk = 40

// TestSoak searches seeds from -first on for -hours simulated cluster-hours, in as many processes
// as there are processors. It stops at the first violation.
func TestSoak(t *testing.T) {
	if *hoursFlag <= 0 {
		t.Skip("SKIP: needs -hours; make soak HOURS=... runs it")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{next: *firstFlag, begun: time.Now()}
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for first, ok := s.take(); ok; first, ok = s.take() {
				out, err := exec.Command(binary, "-test.run", "^TestSeeds$", "-test.v", "-test.timeout", "0",
					"-first", fmt.Sprint(first), "-seeds", fmt.Sprint(soakChunk), "-faults", *kindsFlag,
					"-length", lengthFlag.String(), "-ticks", fmt.Sprint(*ticksFlag), "-lease", fmt.Sprint(*leaseFlag), "-numbers", *numbersFlag,
					fmt.Sprintf("-locks=%v", *locksFlag), fmt.Sprintf("-others=%v", *othersFlag), "-semaphores", fmt.Sprint(*semaphoresFlag)).CombinedOutput()
				s.add(string(out), err)
			}
		})
	}
	workers.Wait()
	for _, out := range s.failures {
		t.Error(out)
	}
	t.Logf("seeds %d to %d: %s, %d violations", *firstFlag, s.next-1, s.figures(), len(s.failures))
}

// soak is what the workers have in common.
type soak struct {
	begun time.Time

	mu            sync.Mutex // guards what follows
	next          int64      // the first seed that nobody has taken
	hours         float64
	faults, terms int
	failures      []string
}

// take returns the first seed of a chunk, until there is enough or a failure.
func (s *soak) take() (first int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hours >= *hoursFlag || len(s.failures) > 0 {
		return 0, false
	}
	s.next += soakChunk
	return s.next - soakChunk, true
}

// totals is how TestSeeds ends.
var totals = regexp.MustCompile(`([0-9.]+) cluster-hours, (\d+) faults, (\d+) terms`)

func (s *soak) add(out string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := totals.FindStringSubmatch(out)
	if err != nil || m == nil {
		s.failures = append(s.failures, strings.TrimSpace(out)+fmt.Sprintf("\n%v", err))
		return
	}
	hours, _ := strconv.ParseFloat(m[1], 64)
	faults, _ := strconv.Atoi(m[2])
	terms, _ := strconv.Atoi(m[3])
	s.hours, s.faults, s.terms = s.hours+hours, s.faults+faults, s.terms+terms
	fmt.Println(s.figures())
}

func (s *soak) figures() string {
	return fmt.Sprintf("%.1f cluster-hours, %d faults, %d terms in %v", s.hours, s.faults, s.terms, time.Since(s.begun).Round(time.Second))
}
