package sim

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakChunk is how many seeds one process runs in a row.
const soakChunk = 40

// soakScenes are what the clusters of a soak do, in turn: flags of TestSeeds. Elections alone come
// first, and as often as the rest together.
var soakScenes = [][]string{{}, {"-locks"}, {}, {"-semaphores=2"}, {}, {"-others"}}

// TestSoak searches seeds from -first on for -hours simulated cluster-hours, in as many processes
// as there are processors. It stops at the first violation. With -locks, -semaphores or -others all
// clusters do that.
func TestSoak(t *testing.T) {
	if *hoursFlag <= 0 {
		t.Skip("SKIP: needs -hours; make soak HOURS=... runs it")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{next: *firstFlag, begun: time.Now(), hours: map[string]float64{}}
	if *locksFlag || *othersFlag || *semaphoresFlag > 0 {
		s.scenes = [][]string{{fmt.Sprintf("-locks=%v", *locksFlag), fmt.Sprintf("-others=%v", *othersFlag), fmt.Sprintf("-semaphores=%d", *semaphoresFlag)}}
	} else {
		s.scenes = soakScenes
	}
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for first, scene, ok := s.take(); ok; first, scene, ok = s.take() {
				args := []string{"-test.run", "^TestSeeds$", "-test.v", "-test.timeout", "0",
					"-first", fmt.Sprint(first), "-seeds", fmt.Sprint(soakChunk), "-faults", *kindsFlag,
					"-length", lengthFlag.String(), "-ticks", fmt.Sprint(*ticksFlag), "-lease", fmt.Sprint(*leaseFlag), "-numbers", *numbersFlag}
				out, err := exec.Command(binary, append(args, scene...)...).CombinedOutput()
				s.add(scene, string(out), err)
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
	begun  time.Time
	scenes [][]string

	mu                      sync.Mutex // guards what follows
	taken                   int        // how many chunks have been taken
	next                    int64      // the first seed that nobody has taken
	hours                   map[string]float64
	faults, terms, acquired int
	failures                []string
}

// take returns the first seed of a chunk and its scene, until there is enough or a failure.
func (s *soak) take() (first int64, scene []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all() >= *hoursFlag || len(s.failures) > 0 {
		return 0, nil, false
	}
	first, scene = s.next, s.scenes[s.taken%len(s.scenes)]
	s.next, s.taken = s.next+soakChunk, s.taken+1
	return first, scene, true
}

// totals is how TestSeeds ends.
var totals = regexp.MustCompile(`([0-9.]+) cluster-hours, (\d+) faults, (\d+) terms, (\d+) acquisitions`)

func (s *soak) add(scene []string, out string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := totals.FindStringSubmatch(out)
	if err != nil || m == nil {
		s.failures = append(s.failures, fmt.Sprintf("%v: %s\n%v", scene, strings.TrimSpace(out), err))
		return
	}
	hours, _ := strconv.ParseFloat(m[1], 64)
	s.hours[strings.Join(scene, " ")] += hours
	for i, total := range []*int{&s.faults, &s.terms, &s.acquired} {
		n, _ := strconv.Atoi(m[2+i])
		*total += n
	}
	fmt.Println(s.figures())
}

// all returns the cluster-hours of all scenes. The caller holds s.mu, or is alone.
func (s *soak) all() (sum float64) {
	for _, hours := range s.hours {
		sum += hours
	}
	return sum
}

func (s *soak) figures() string {
	var each []string
	for _, scene := range slices.Sorted(maps.Keys(s.hours)) {
		each = append(each, fmt.Sprintf("%.1f %s", s.hours[scene], cmp.Or(scene, "elections")))
	}
	return fmt.Sprintf("%.1f cluster-hours (%s), %d faults, %d terms, %d acquisitions in %v",
		s.all(), strings.Join(each, ", "), s.faults, s.terms, s.acquired, time.Since(s.begun).Round(time.Second))
}
