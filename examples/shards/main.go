// Shards spreads shards over processes: an election for each shard, in which every process
// stands, all with one client. Each shard is led by one process; when that crashes, the
// others take its shards over, some each; when it comes back, it gets them back.
//
//	go run ./examples/shards                           one run, 2 to 5 seconds
//	go run ./examples/shards -shards 200 -processes 6
//	go run ./examples/shards -zk zk1:2181,zk2:2181     on an ensemble of yours
//
// Who should lead what is decided by rendezvous hashing (keeper.go), without asking anybody: each process joins a shard's
// line the later, the worse it ranks, so that the best one leads and the next best is its heir. A leader looks at the
// line now and then, and gives way to one that ranks better (keeper.go): that restores the spread when a process comes
// back, and whenever the line has come about in another order.
//
// Load moves nothing. The spread is that of a hash: even for many shards, roughly so for few. A shard changes hands
// with a pause of a few milliseconds, once for each process that stands in line ahead of the better one.
//
// The program starts the processes, kills the one that leads most and starts it again, and shows each time who leads
// what. It exits with 1 if a shard ever had two leaders at one time, or if the spread is not restored.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

func main() {
	if child.Is() {
		runProcess(honest)
		return
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
	s := newShow(p)
	err := s.run(ctx)
	if problems := s.history.problems(); len(problems) > 0 {
		return errors.Join(err, fmt.Errorf("two leaders of one shard at once:\n  %s", strings.Join(problems, "\n  ")))
	}
	if err == nil {
		terms := slices.Concat(slices.Collect(maps.Values(s.history))...)
		fmt.Fprintf(example.Stdout, "\nTwo leaders of one shard at once: never (%d terms).\n", len(terms))
	}
	return err
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
