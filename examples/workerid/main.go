// Workerid gives each process of a fleet a number, never the same to two at a time. The processes
// issue ids that contain these numbers.
//
//	go run ./examples/workerid                         one run, about 4 seconds
//	go run ./examples/workerid -check=false            what happens without the check
//	go run ./examples/workerid -zk zk1:2181,zk2:2181   on an ensemble of yours
//
// Five workers want one of four numbers each: the slots of a semaphore. One of them waits. A worker
// is paused in the middle of its issuing for longer than its lease (SIGSTOP), and does not notice.
// The one that waits gets the number when that lease is over, and not before. Then the first goes
// on (SIGCONT). It asks Slot.Valid for each id (issuer.go), so it issues none with the number that
// is another's now. It waits until it has another number: a worker leaves.
//
// It tells what happens as JSON lines, and exits with 1 if an id was issued twice, or with a
// number that was another's then. The lines call such ids "twice" and "late". Where processes
// cannot be paused, it says so and leaves the pause out.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

func main() {
	if child.Is() {
		runWorker()
	}
	p := newProgram()
	p.Demonstrate(p.sane, p.run)
}

// program is the demonstration with its own flags. The workers have the same.
type program struct {
	*example.Program
	size, workers int
	check         bool
}

func newProgram() *program {
	p := &program{Program: example.New("workerid", "/zkrecipe/workerid", 10*time.Second, time.Second)}
	p.Flags.IntVar(&p.size, "size", 4, "how many numbers there are")
	p.Flags.IntVar(&p.workers, "workers", 5, "how many workers want one")
	p.Flags.BoolVar(&p.check, "check", true, "ask before each id whether the number is still the worker's")
	return p
}

// maxWorkers is how many processes one machine should have.
const maxWorkers = 100

func (p *program) sane() error {
	switch {
	case p.size < 2 || p.size >= maxWorkers:
		return fmt.Errorf("-size is %d; want 2 to %d", p.size, maxWorkers-1)
	case p.workers <= p.size || p.workers > maxWorkers:
		return fmt.Errorf("-workers is %d; want more than -size, and at most %d", p.workers, maxWorkers)
	}
	return nil
}

func (p *program) run(ctx context.Context) error {
	f := newFleet(p)
	f.Fail(f.play(ctx))
	err := f.Stop("", "")
	f.out.Write("done", "issued", len(f.issued), "twice", f.twice, "late", f.late)
	if f.twice > 0 || f.late > 0 {
		err = errors.Join(err, fmt.Errorf("%d ids were issued twice, %d with a number that was another's", f.twice, f.late))
	}
	return err
}
