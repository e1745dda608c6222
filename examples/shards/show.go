package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
)

// patience guards against hanging.
const patience = time.Minute

// show runs the processes, kills one and starts it again, and tells what moves.
type show struct {
	flags []string // of each process
	begin time.Time

	mu       sync.Mutex    // guards what follows; held for moments
	changed  chan struct{} // closed and replaced whenever history changes
	history  *history
	children map[string]*child.Child // the processes that should be there
	err      error                   // the first failure
}

func newShow(shards []string, flags []string) *show {
	return &show{
		flags: flags, begin: time.Now(), changed: make(chan struct{}),
		history: newHistory(shards), children: map[string]*child.Child{},
	}
}

// run performs, then ends all processes.
func (s *show) run(ctx context.Context, processes []string) error {
	err := s.perform(ctx, processes)
	s.mu.Lock()
	children := s.children
	s.children = nil // from now on they may end
	s.mu.Unlock()
	var stops sync.WaitGroup
	failures := make([]error, len(processes))
	for i, id := range processes {
		if c := children[id]; c != nil {
			stops.Go(func() { failures[i] = c.Stop("") })
		}
	}
	stops.Wait()
	return errors.Join(append(failures, err)...)
}

func (s *show) perform(ctx context.Context, processes []string) error {
	s.say("%d processes start, each with a candidate for each of %d shards", len(processes), len(s.history.shards))
	for _, id := range processes {
		s.start(id)
	}
	if err := s.settle(ctx, processes); err != nil {
		return err
	}
	before := s.leaders()
	s.say("each shard is led by the process that suits it best")
	s.table(processes)

	victim := busiest(processes, before)
	others := slices.DeleteFunc(slices.Clone(processes), func(p string) bool { return p == victim })
	at := candidate.Monotonic()
	s.say("%s is killed (kill -9)", victim)
	s.kill(victim)
	if err := s.settle(ctx, others); err != nil {
		return err
	}
	after := s.leaders()
	s.report(before, after, at)
	s.table(others)

	at = candidate.Monotonic()
	s.say("%s is started again; where it ranks better the others resign", victim)
	s.start(victim)
	if err := s.settle(ctx, processes); err != nil {
		return err
	}
	s.report(after, s.leaders(), at)
	s.table(processes)
	return nil
}

// settle waits until each shard is led by that of the processes which suits it best.
func (s *show) settle(ctx context.Context, processes []string) error {
	return s.until(ctx, "each shard to be led by the process that suits it best", func() bool {
		return s.history.settled(processes)
	})
}

// report tells what has moved between two states, after an instant.
func (s *show) report(before, after map[string]string, since int64) {
	n, to := moved(before, after)
	s.mu.Lock()
	gap := s.history.gap(since)
	s.mu.Unlock()
	s.say("%d shards have moved (%s), %d have not; without a leader for %v at the longest",
		n, to, len(after)-n, gap.Round(time.Millisecond))
}

// busiest returns the process that leads most.
func busiest(processes []string, leaders map[string]string) (name string) {
	count := map[string]int{}
	for _, p := range leaders {
		count[p]++
	}
	return slices.MaxFunc(processes, func(a, b string) int { return count[a] - count[b] })
}

// tell takes in a line of a process: what it leads.
func (s *show) tell(id string, text []byte) error {
	var all []stretch
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	s.change(func() {
		for _, t := range all {
			s.history.add(id, t)
		}
	})
	return nil
}

// start starts a process and watches over it: it must not end by itself.
func (s *show) start(id string) {
	flags := append(slices.Clone(s.flags), "-id", id)
	c, err := child.Start(asProcess, flags, func(text []byte) error { return s.tell(id, text) })
	if err != nil {
		s.fail(err)
		return
	}
	s.change(func() { s.children[id] = c })
	go func() { // ends with the child
		err := c.Err()
		s.mu.Lock()
		unwanted := s.children[id] == c
		s.mu.Unlock()
		if unwanted {
			s.fail(fmt.Errorf("%s has ended by itself: %w", id, err))
		}
	}()
}

// kill kills a process.
func (s *show) kill(id string) {
	s.mu.Lock()
	c := s.children[id]
	delete(s.children, id)
	s.mu.Unlock()
	c.Kill()
	s.change(func() { s.history.gone(id) })
}

func (s *show) leaders() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history.leaders()
}

// table shows who leads what.
func (s *show) table(processes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Print(s.history.table(processes))
}

// change changes what mu guards, and wakes those who wait for it.
func (s *show) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// fail notes the first failure, which ends the show.
func (s *show) fail(err error) {
	s.change(func() {
		if s.err == nil {
			s.err = err
		}
	})
}

// until waits for a condition, which is called with mu held.
func (s *show) until(ctx context.Context, what string, condition func() bool) error {
	guard := time.NewTimer(patience)
	defer guard.Stop()
	for {
		s.mu.Lock()
		ok, changed, err := condition(), s.changed, s.err
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-guard.C:
			return fmt.Errorf("waited %v for %s, which did not come", patience, what)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// say tells what happens.
func (s *show) say(format string, args ...any) {
	fmt.Printf("%7.3f s  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}
