package sim

import (
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// A Plan decides what happens in a run.
type Plan struct {
	Seed       int64
	Length     time.Duration
	Timeout    time.Duration // the session timeout, T
	Lease      time.Duration // the lease, D
	Latency    time.Duration // of every message; up to twice as much again is random
	Procs      int
	Elections  int
	Locks      int  // 0 where only elections are simulated
	Semaphores int  // if not 0, the processes use so many of these instead
	Others     bool // a group, a counter, caches and a double barrier are simulated beside the elections
	Wraps      bool // sequence numbers begin shortly before 2147483647 and go on below zero, as before 3.6
	Sticks     bool // they begin there and stay at 2147483647, as since 3.6
	Faults     []Fault
}

// A Fault happens At a time and ends For a while later. Its Seed decides the rest.
type Fault struct {
	At, For time.Duration
	Kind    string
	Seed    int64
}

func (f Fault) String() string { return fmt.Sprintf("%v for %v: %s (%d)", f.At, f.For, f.Kind, f.Seed) }

// String lists the plan.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: T = %v, D = %v, %d processes, %d elections, %d semaphores, %v, %d faults\n", p.Seed, p.Timeout, p.Lease, p.Procs, p.Elections, p.Semaphores, p.Length, len(p.Faults))
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	return b.String()
}

// tick is ZooKeeper's tickTime in all runs.
const tick = time.Second

// syncLimit is how many ticks a server goes on without the others.
const syncLimit = 5

// every is the mean time between two faults.
const every = 10 * time.Second

// newPlan makes the plan of a seed, with faults of the given kinds.
func newPlan(seed int64, length time.Duration, kinds []string) Plan {
	rng := rand.New(rand.NewSource(seed))
	p := Plan{
		Seed: seed, Length: length,
		Timeout:   time.Duration(2+rng.Intn(4)) * tick, // two ticks, the shortest allowed, to five
		Procs:     3 + rng.Intn(3),
		Elections: 1 + rng.Intn(2),
		Latency:   time.Millisecond << rng.Intn(4),
	}
	if seed%8 == 0 { // sessions take over many places at the same time
		p.Elections = 6
	}
	p.Lease = p.Timeout / time.Duration(2<<rng.Intn(3)) // half, a quarter or an eighth of T
	if len(kinds) == 0 {
		return p
	}
	switch rng.Intn(5) {
	case 0:
		p.Wraps = true
	case 1:
		p.Sticks = true
	}
	for at := time.Duration(0); ; {
		at += time.Duration(rng.ExpFloat64() * float64(every))
		if at >= length {
			return p
		}
		kind := kinds[rng.Intn(len(kinds))]
		f := Fault{At: at, Kind: kind, Seed: rng.Int63()}
		// Most faults last for about T, where things become interesting; some for long.
		f.For = time.Duration(rng.Float64() * 2 * float64(p.Timeout))
		if rng.Intn(5) == 0 {
			f.For *= 5
		}
		p.Faults = append(p.Faults, f)
	}
}

// undisturbed reports whether no session has a reason to end: there are no faults, and no heartbeat
// takes a quarter of the lease. After that a session looks for another server, and others may take
// over from it. A heartbeat and its answer are six messages: to a follower, to the ZooKeeper
// leader, the proposal, and the way back. Each takes three times the latency at most.
func (p Plan) undisturbed() bool { return len(p.Faults) == 0 && p.Lease/4 > 6*3*p.Latency }

// without returns the plan without the faults from i to before j.
func (p Plan) without(i, j int) Plan {
	q := p
	q.Faults = append(append([]Fault(nil), p.Faults[:i]...), p.Faults[min(j, len(p.Faults)):]...)
	return q
}

// shrink leaves out faults, in ever smaller groups and at last one at a time, as long as the plan
// still fails.
func shrink(p Plan, fails func(Plan) bool) Plan {
	for size := (len(p.Faults) + 1) / 2; size > 0; size /= 2 {
		for i := len(p.Faults) - size; i > -size; i -= size {
			if q := p.without(max(i, 0), i+size); len(q.Faults) < len(p.Faults) && fails(q) {
				p = q
			}
		}
	}
	return p
}
