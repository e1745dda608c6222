// Dispatcher is a service whose leader hands out jobs to the members of a group, and takes them back
// from those that die: an election, a group and locks on one client.
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
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	zk, path string
	n        int
	times    flags.Times
}

func (o *options) jobs() (names []string) {
	for i := range o.n {
		names = append(names, fmt.Sprintf("job-%02d", i))
	}
	return names
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{times: flags.Times{Timeout: 3 * time.Second, Lease: time.Second}}
	f := flag.NewFlagSet("dispatcher", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors, once
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/dispatcher", "the service's `znode`")
	f.IntVar(&o.n, "jobs", 12, "how many jobs there are")
	o.times.Define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(stderr)
			f.Usage()
		}
		return nil, err
	}
	o.zk = *zk
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.n < 4 || o.n > 1000:
		return nil, fmt.Errorf("-jobs is %d; want 4 to 1000", o.n)
	}
	return o, o.times.Check(f, time.Minute)
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "dispatcher:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := demonstrate(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "dispatcher:", err)
		return 1
	}
	return 0
}

// demonstrate lets workers come and die, one after the other.
func demonstrate(ctx context.Context, o *options, stdout io.Writer) error {
	servers, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer servers.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // against hanging
	defer cancel()
	b := newBoard(stdout)
	b.say("%s; T = %v, D = %v", servers.Name, o.times.Timeout, o.times.Lease)
	workers := map[string]*worker{}
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	hire := func(ids ...string) error {
		for _, id := range ids {
			w, err := start(ctx, o, servers.Connect, id, b)
			if err != nil {
				return err
			}
			workers[id] = w
		}
		return nil
	}
	if err := hire("alice", "bob", "carol"); err != nil {
		return err
	}
	if err := b.await(ctx, o.jobs(), 3, ""); err != nil {
		return err
	}
	b.say("dave comes")
	if err := hire("dave"); err != nil {
		return err
	}
	if err := b.await(ctx, o.jobs(), 4, ""); err != nil {
		return err
	}
	for i, leads := range []bool{false, true} {
		w := pick(workers, leads)
		if w == nil {
			return errors.New("nobody to cut off: there is no leader")
		}
		b.say("%s is cut off%s", w.id, map[bool]string{true: ", which hands out the jobs"}[leads])
		delete(workers, w.id)
		w.cable.Cut()
		err := b.await(ctx, o.jobs(), 3-i, w.id)
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
