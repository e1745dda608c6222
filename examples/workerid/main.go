// Workerid gives each process of a fleet a number, never the same to two at a time. The processes
// issue ids that contain these numbers.
//
//	go run ./examples/workerid                         one run, about 4 seconds
//	go run ./examples/workerid -zk zk1:2181,zk2:2181   on an ensemble of yours
//
// Five workers want one of four numbers each: the slots of a semaphore. One of them waits. A worker
// that is cut off from ZooKeeper does not know at once, and goes on issuing ids while its lease runs:
// it asks Slot.Valid for each id (issuer.go). The one that waits gets the number when that lease is
// over, and not before. Then the first comes back and waits in turn, until another leaves.
//
// It tells what happens as JSON lines, and exits with 1 if an id was ever issued twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "workerid:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "workerid:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	zk, path      string
	size, workers int
	times         flags.Times
}

// maxTimeout is the longest session timeout that makes sense here.
const maxTimeout = time.Minute

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond}
	f := flag.NewFlagSet("workerid", flag.ContinueOnError)
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/workerid", "the semaphore's `znode`, created when missing")
	f.IntVar(&o.size, "size", 4, "how many numbers there are")
	f.IntVar(&o.workers, "workers", 5, "how many workers want one")
	o.times.Define(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.zk = *zk
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.size < 2 || o.size > maxNumber:
		return o, fmt.Errorf("-size is %d; want 2 to %d", o.size, maxNumber)
	case o.workers <= o.size || o.workers > 2*maxNumber:
		return o, fmt.Errorf("-workers is %d; want more than -size, and at most %d", o.workers, 2*maxNumber)
	}
	return o, o.times.Check(f, maxTimeout)
}

// run is the program.
func run(ctx context.Context, o options, stdout io.Writer) error {
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close()
	if err := ensemble.Reach(ctx); err != nil {
		return err
	}
	f := &fleet{options: o, connect: ensemble.Connect, out: lines.New(stdout, "fleet"), stdout: stdout, acquired: make(chan event, 100), issued: map[int64]string{}}
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
