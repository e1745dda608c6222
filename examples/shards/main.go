// Shards spreads shards over processes: an election for each shard, in which every process
// stands, all with one client. Each shard is led by one process; when that crashes, the
// others take its shards over, some each; when it comes back, it gets them back.
//
//	go run ./examples/shards                           one run, 2 to 5 seconds
//	go run ./examples/shards -shards 200 -processes 6
//	go run ./examples/shards -zk zk1:2181,zk2:2181     on an ensemble of yours
//
// Who should lead what is decided by rendezvous hashing (rank.go), without asking anybody:
// each process joins a shard's line the later, the worse it ranks, so that the best one
// leads and the next best is its heir. A leader looks at the line now and then, and gives
// way to one that ranks better (keeper.go): that restores the spread when a process comes
// back, and whenever the line has come about in another order.
//
// Load moves nothing. The spread is that of a hash: even for many shards, roughly so for
// few. A shard changes hands with a pause of a few milliseconds, once for each process that
// stands in line ahead of the better one.
//
// The program starts the processes, kills the one that leads most and starts it again, and
// shows each time who leads what. It exits with 1 if a shard ever had two leaders at one
// time, or if the spread is not restored.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

func main() {
	var err error
	if child.Role() == asProcess {
		err = runProcess(os.Args[1:], honest)
	} else {
		var o options
		if o, err = parse(os.Args[1:]); errors.Is(err, flag.ErrHelp) {
			return
		} else if err != nil {
			os.Exit(2)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shards:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	zk, path          string
	shards, processes int
	times             flags.Times
}

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond}
	f := flag.NewFlagSet("shards", flag.ContinueOnError)
	connect := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/shards", "the `znode` of the elections, created when missing; nobody else's")
	f.IntVar(&o.shards, "shards", 24, "how many shards there are")
	f.IntVar(&o.processes, "processes", 4, "how many processes lead them")
	o.times.Define(f)
	err = f.Parse(args)
	o.zk = *connect
	switch {
	case err != nil:
		return o, err // which Parse has told
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.shards < 1 || o.shards > 999:
		err = fmt.Errorf("-shards is %d; want 1 to 999", o.shards)
	case o.processes < 2 || o.processes > len(people):
		err = fmt.Errorf("-processes is %d; want 2 to %d", o.processes, len(people))
	default:
		err = o.times.Check(f, patience/4)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shards:", err)
	}
	return o, err
}

// run is the program.
func run(ctx context.Context, o options) error {
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close()
	if err := ensemble.Reach(ctx); err != nil {
		return err
	}
	fmt.Printf("ZooKeeper: %s\n", ensemble.Name)
	s := newShow(shardNames(o.shards), append(o.times.Args(),
		"-zk", ensemble.Connect, "-path", o.path, "-shards", fmt.Sprint(o.shards), "-processes", fmt.Sprint(o.processes)))
	err = s.run(ctx, processNames(o.processes))
	if problems := s.history.problems(); len(problems) > 0 {
		return errors.Join(err, fmt.Errorf("two leaders of one shard at once:\n  %s", strings.Join(problems, "\n  ")))
	}
	if err == nil {
		fmt.Printf("\nTwo leaders of one shard at once: never (%d terms).\n", s.history.count())
	}
	return err
}
