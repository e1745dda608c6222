// Shards spreads shards over processes: an election for each shard, in which every process stands,
// all with one client. When a process crashes, the others take its shards over, some each; when it
// comes back, it gets them back.
//
//	go run ./examples/shards                           one run, 2 to 5 seconds
//	go run ./examples/shards -shards 200 -processes 6
//	go run ./examples/shards -zk zk1:2181,zk2:2181     on an ensemble of yours
//
// Who should lead what is decided by rendezvous hashing, without asking anybody (keeper.go). The
// program kills the process that leads most and starts it again, and shows each time who leads
// what. The README of the examples says more.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
)

func main() {
	if child.Is() {
		runProcess(honest)
	}
	p := newProgram()
	p.Demonstrate(p.check, p.run)
}

// program is the demonstration with its own flags. The processes have the same.
type program struct {
	*example.Program
	shards, processes int
}

func newProgram() *program {
	p := &program{Program: example.New("shards", "/zkrecipe/shards", 10*time.Second, 400*time.Millisecond)}
	p.Flags.IntVar(&p.shards, "shards", 24, "how many shards there are")
	p.Flags.IntVar(&p.processes, "processes", 4, "how many processes lead them")
	return p
}

func (p *program) check() error {
	switch {
	case p.shards < 1 || p.shards > 999:
		return fmt.Errorf("-shards is %d; want 1 to 999", p.shards)
	case p.processes < 2 || p.processes > len(people):
		return fmt.Errorf("-processes is %d; want 2 to %d", p.processes, len(people))
	}
	return nil
}

func (p *program) run(ctx context.Context) error {
	fmt.Fprintf(example.Stdout, "ZooKeeper: %s\n", p.Servers)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute) // against hanging: it takes some seconds
	defer cancel()
	s := newShow(p)
	s.Fail(s.perform(ctx))
	return s.end()
}

// shardNames returns the names of n shards.
func shardNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("s%02d", i+1))
	}
	return names
}

// people name the processes.
var people = strings.Fields("alice bob carol dave erin frank grace heidi ivan judy " +
	"kim leo mary nick olga paul quinn rosa sam tina")

// processNames returns the names of n processes, of at most len(people).
func processNames(n int) []string { return people[:n] }

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

// end ends the processes. It returns an error if something has failed, or a shard had two leaders
// at once.
func (s *show) end() error {
	err := s.Stop("", "")
	if problems := s.history.problems(); len(problems) > 0 {
		return errors.Join(err, fmt.Errorf("two leaders of one shard at once:\n  %s", strings.Join(problems, "\n  ")))
	}
	if err == nil {
		n := 0
		for _, terms := range s.history {
			n += len(terms)
		}
		fmt.Fprintf(example.Stdout, "\nTwo leaders of one shard at once: never (%d terms).\n", n)
	}
	return err
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

func (s *show) perform(ctx context.Context) error {
	return s.lose(ctx, func(victim string) {
		example.Say("%s is killed (kill -9)", victim)
		s.Kill(victim)
	}, func(victim string) {
		example.Say("%s is started again; where it ranks better the others resign", victim)
		s.Start(victim)
	})
}

// lose starts the processes, and takes away the one that leads most until the others lead its
// shards. take takes it away, and bring brings it back.
func (s *show) lose(ctx context.Context, take, bring func(victim string)) error {
	example.Say("%d processes start, each with a candidate for each of %d shards", len(s.processes), len(s.shards))
	for _, id := range s.processes {
		s.Start(id)
	}
	before, err := s.settle(ctx, s.processes, nil)
	if err != nil {
		return err
	}
	victim := before.busiest(s.processes)
	take(victim)
	s.Do(func() { s.history.gone(victim) })
	before, err = s.settle(ctx, without(s.processes, victim), before)
	if err != nil {
		return err
	}
	bring(victim)
	_, err = s.settle(ctx, s.processes, before)
	return err
}

// without returns the processes but one.
func without(processes []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(processes), func(p string) bool { return p == one })
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
