package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

// show runs the processes, kills one and starts it again, and tells what moves.
type show struct {
	*child.Group      // its lock guards history
	history           history
	shards, processes []string
}

func newShow(p *program) *show {
	s := &show{history: history{}, shards: shardNames(p.shards), processes: processNames(p.processes)}
	s.Group = child.NewGroup(p.Args(), s.tell)
	return s
}

// tell takes in a line of a process: what it leads.
func (s *show) tell(_ string, line []byte) error {
	var terms []stretch
	err := json.Unmarshal(line, &terms)
	for _, t := range terms {
		s.history.add(t)
	}
	return err
}

// run performs, then ends all processes.
func (s *show) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute) // against hanging: it takes some seconds
	defer cancel()
	s.Fail(s.perform(ctx))
	return s.Stop("", "")
}

func (s *show) perform(ctx context.Context) error {
	example.Say("%d processes start, each with a candidate for each of %d shards", len(s.processes), len(s.shards))
	for _, id := range s.processes {
		s.Start(id)
	}
	before, err := s.settle(ctx, s.processes, nil)
	if err != nil {
		return err
	}

	victim := before.busiest(s.processes)
	others := slices.DeleteFunc(slices.Clone(s.processes), func(p string) bool { return p == victim })
	example.Say("%s is killed (kill -9)", victim)
	s.Kill(victim)
	s.Do(func() { s.history.gone(victim) })
	before, err = s.settle(ctx, others, before)
	if err != nil {
		return err
	}

	example.Say("%s is started again; where it ranks better the others resign", victim)
	s.Start(victim)
	_, err = s.settle(ctx, s.processes, before)
	return err
}

// settle waits until each shard is led by the process that suits it best. Then it tells who leads
// what. If before is not nil, it also tells what has moved.
func (s *show) settle(ctx context.Context, processes []string, before spread) (now spread, err error) {
	since := lines.Now()
	var gap time.Duration
	err = s.Until(ctx, "spread with each shard led by the process that suits it best", func() bool {
		now, gap = s.history.leaders(), s.history.gap(since)
		return now.isBest(s.shards, processes)
	})
	if err != nil {
		return nil, err
	}
	if before == nil {
		example.Say("each shard is led by the process that suits it best")
	} else {
		n, to := now.moved(before)
		example.Say("%d shards have moved (%s), %d have not; without a leader for %v at the longest",
			n, to, len(s.shards)-n, gap.Round(time.Millisecond))
	}
	fmt.Fprint(example.Stdout, now.table(s.shards, processes))
	return now, nil
}
