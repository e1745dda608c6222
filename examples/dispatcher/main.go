// Dispatcher is a service whose leader hands out jobs to the members of a group, and takes them
// back from those that die: an election, a group and locks on one client.
//
//	go run ./examples/dispatcher                        a demonstration, with an ensemble of its own
//	go run ./examples/dispatcher -zk 127.0.0.1:2181     the same on an ensemble of yours
//
// Three workers come, then a fourth. A worker that does not lead is cut off for good, then the
// leader. Each time all jobs are worked at again, and two workers never work at one job. Otherwise
// the exit code is 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

func main() {
	p := &program{Program: example.New("dispatcher", "/zkrecipe/dispatcher", 3*time.Second, time.Second)}
	p.Flags.IntVar(&p.n, "jobs", 12, "how many jobs there are")
	p.Demonstrate(p.check, p.run)
}

// program is the demonstration with its own flag.
type program struct {
	*example.Program
	n int
}

func (p *program) check() error {
	if p.n < 4 || p.n > 1000 {
		return fmt.Errorf("-jobs is %d; want 4 to 1000", p.n)
	}
	return nil
}

func (p *program) jobs() (names []string) {
	for i := range p.n {
		names = append(names, fmt.Sprintf("job-%02d", i))
	}
	return names
}

// run lets workers come and die, one after the other.
func (p *program) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // against hanging
	defer cancel()
	example.Say("%s; T = %v, D = %v", p.Servers, p.Session.Timeout, p.Session.Lease)
	b := newBoard()
	workers := map[string]*worker{}
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	hire := func(ids ...string) error {
		for _, id := range ids {
			w, err := start(ctx, p, id, b)
			if err != nil {
				return err
			}
			workers[id] = w
		}
		return b.await(ctx, p.jobs(), len(workers), "")
	}
	if err := hire("alice", "bob", "carol"); err != nil {
		return err
	}
	example.Say("dave comes")
	if err := hire("dave"); err != nil {
		return err
	}
	for _, leads := range []bool{false, true} {
		w := pick(workers, leads)
		if w == nil {
			return errors.New("nobody to cut off: there is no leader")
		}
		example.Say("%s is cut off%s", w.id, map[bool]string{true: ", which hands out the jobs"}[leads])
		delete(workers, w.id)
		w.cable.Cut()
		err := b.await(ctx, p.jobs(), len(workers), w.id)
		w.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// pick returns one that leads, or one that does not.
func pick(workers map[string]*worker, leads bool) *worker {
	for _, w := range workers {
		if w.leading.Load() == leads {
			return w
		}
	}
	return nil
}
