// Workerid gives each process of a fleet a number, never the same to two at a time. The processes
// issue ids that contain these numbers.
//
//	go run ./examples/workerid                         one run, about 4 seconds
//	go run ./examples/workerid -zk zk1:2181,zk2:2181   on an ensemble of yours
//
// Five workers want one of four numbers each: the slots of a semaphore. One of them waits. A worker
// that is cut off from ZooKeeper does not know at once, and goes on issuing ids while its lease
// runs: it asks Slot.Valid for each id (issuer.go). The one that waits gets the number when that
// lease is over, and not before. Then the first comes back and waits in turn, until another leaves.
//
// It tells what happens as JSON lines, and exits with 1 if an id was ever issued twice.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

func main() {
	p := &program{Program: example.New("workerid", "/zkrecipe/workerid", 10*time.Second, 400*time.Millisecond)}
	p.Flags.IntVar(&p.size, "size", 4, "how many numbers there are")
	p.Flags.IntVar(&p.workers, "workers", 5, "how many workers want one")
	p.Demonstrate(p.check, p.run)
}

// program is the demonstration with its own flags.
type program struct {
	*example.Program
	size, workers int
}

func (p *program) check() error {
	switch {
	case p.size < 2 || p.size > maxNumber:
		return fmt.Errorf("-size is %d; want 2 to %d", p.size, maxNumber)
	case p.workers <= p.size || p.workers > 2*maxNumber:
		return fmt.Errorf("-workers is %d; want more than -size, and at most %d", p.workers, 2*maxNumber)
	}
	return nil
}

func (p *program) run(ctx context.Context) error {
	f := newFleet(p)
	defer f.stop()
	if err := f.play(ctx); err != nil {
		return err
	}
	f.stop()
	issued, twice := f.totals()
	f.out.Write("done", "issued", issued, "twice", twice)
	if twice > 0 {
		return fmt.Errorf("%d ids were issued twice", twice)
	}
	return nil
}
