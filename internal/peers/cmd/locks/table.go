package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/peers"
)

// table is what is measured in one way, with different numbers of clients.
type table struct {
	name    string // of its paths
	of      string // what the numbers say
	base    string // the row whose times the others are compared with, beside the floor's
	rest    time.Duration
	permits int // of a semaphore; 0 for a lock
	// processes: the numbers are those of processes with one client each, which share a lock.
	processes bool
	delay     time.Duration // of each message, in the title
	numbers   []int
	rows      []row
}

// result is what the rounds of one row have given.
type result struct {
	rates            []float64 // acquisitions per second
	took             []time.Duration
	acquired, failed int
}

// measure prints the table.
func (t *table) measure(ctx context.Context, rounds int, length time.Duration) error {
	if len(t.numbers) == 0 {
		return nil
	}
	fmt.Print(t.head())
	for _, n := range t.numbers {
		results := map[string]*result{}
		for _, r := range t.rows {
			results[r.name] = &result{}
		}
		for round := range rounds {
			for i := range t.rows {
				r := t.rows[(round+i)%len(t.rows)] // another one first each time
				l := t.load(n)
				l.Connect, l.For = r.connect, length
				l.Path = fmt.Sprintf("/%s-%d-%d-%d", t.name, n, i, round)
				locked, err := r.take(ctx, l)
				if err != nil {
					return fmt.Errorf("%s, %d %s: %w", r.name, n, t.of, err)
				}
				results[r.name].add(locked, length)
			}
		}
		for _, r := range t.rows {
			fmt.Print(t.line(n, r.name, results))
		}
	}
	return nil
}

// load is what the clients do in each of the rounds. If they are many, each has had the lock once
// before it counts, if 100 acquisitions take a second.
func (t *table) load(n int) peers.Load {
	l := peers.Load{Clients: n + t.permits, Rest: t.rest, Permits: max(1, t.permits)}
	l.WarmUp = max(time.Second, time.Duration(l.Clients)*10*time.Millisecond)
	if t.processes {
		l.Clients, l.Processes = 1, n
	}
	return l
}

func (r *result) add(locked peers.Locked, length time.Duration) {
	r.rates = append(r.rates, float64(locked.Acquired)/length.Seconds())
	r.took = append(r.took, locked.HandOver)
	r.acquired += locked.Acquired
	r.failed += locked.Failed
}

// head is the title and the head of the table. What a rest decides is no rate.
func (t *table) head() string {
	title, rate, rule := "A lock that each holder releases at once:", " acquisitions/s | times "+t.base+" |", "---:|---:|"
	if t.rest > 0 {
		title, rate, rule = fmt.Sprintf("A lock, each hand-over %v after the one before it:", t.rest), " hand-overs |", "---:|"
	}
	if t.permits > 0 {
		title = fmt.Sprintf("A semaphore of %d permits, each hand-over of one %v after the one before it:", t.permits, t.rest)
	}
	if t.processes {
		return fmt.Sprintf("\nA lock that processes share and release at once, each message delayed by %v:\n\n"+
			"| %s | who |%s failed |\n|---:|---|%s---:|\n", t.delay, t.of, rate, rule)
	}
	return fmt.Sprintf("\n%s\n\n| %s | who |%s release to acquired, p50, ms | of the floor | times %s | failed |\n|---:|---|%s---:|---:|---:|---:|\n",
		title, t.of, rate, t.base, rule)
}

// line is the line of one row: medians of the rounds.
func (t *table) line(n int, name string, results map[string]*result) string {
	r, floor, base := results[name], results[t.rows[0].name], results[t.base]
	took := median(r.took)
	rate := fmt.Sprintf(" %d |", r.acquired)
	if t.rest == 0 {
		rate = fmt.Sprintf(" %.0f | %.2f |", median(r.rates), median(r.rates)/median(base.rates))
	}
	if t.processes { // their clocks are not compared
		return fmt.Sprintf("| %d | %s |%s %d |\n", n, name, rate, r.failed)
	}
	if t.rest == 0 && r == floor { // it acquires nothing
		rate = " | |"
	}
	return fmt.Sprintf("| %d | %s |%s %.2f | %.2f | %.2f | %d |\n", n, name, rate, float64(took)/float64(time.Millisecond),
		float64(took)/float64(median(floor.took)), float64(took)/float64(median(base.took)), r.failed)
}

func median[T float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
