// Leader shows an election at work. It runs three candidates, each in a process of its
// own, shows who leads and who is heir, each fencing token and the lease running, and
// takes the leadership away in turn: by resignation, by a crash (kill -9) and by a pause
// longer than the lease (SIGSTOP). It measures how long nobody led, and watches that
// never two did. After a crash that is about as long as the lease, 400 ms unless -lease says
// otherwise; the session timeout of 10 s has no part in it.
//
//	go run ./examples/leader                          until Ctrl-C
//	go run ./examples/leader -for 10s                 each of them once, then exit
//	go run ./examples/leader -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// Without -zk the ensemble is three servers of package session/zktest in this process. On
// a terminal it draws a picture (in no colors if NO_COLOR is set), elsewhere it writes
// plain lines. It exits with 1 if two candidates ever led at one time, or one failed.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

func main() {
	if child.Role() == asCandidate {
		os.Exit(candidate.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:]))
}

// options are the flags.
type options struct {
	zk, path string
	length   time.Duration
	times    flags.Times
}

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond}
	f := flag.NewFlagSet("leader", flag.ContinueOnError)
	connect := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/leader", "the election's `znode`, created when missing")
	f.DurationVar(&o.length, "for", 0, "how long to go on (default until Ctrl-C)")
	o.times.Define(f)
	err = f.Parse(args)
	o.zk = *connect
	switch {
	case err != nil:
		return o, err
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
		return o, complain(err)
	case o.length < 0:
		return o, complain(fmt.Errorf("-for is %v; want a positive duration such as 10s", o.length))
	}
	if err := o.times.Check(f, time.Minute); err != nil {
		return o, complain(err)
	}
	return o, nil
}

func complain(err error) error {
	fmt.Fprintln(os.Stderr, "leader:", err)
	return err
}

// run is the program; it returns the exit code.
func run(args []string) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		complain(err)
		return 1
	}
	defer ensemble.Close()
	ctx, uncatch := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, uncatch) // a second Ctrl-C ends the program at once
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	return perform(ctx, o, ensemble)
}

// perform runs the show while it is drawn, and sums up.
func perform(ctx context.Context, o options, ensemble *zookeeper.Ensemble) int {
	var draw func(context.Context, *show)
	log := func(int64, string) {}
	screen := newScreen(os.Stdout, ensemble.Name)
	if screen != nil {
		draw = screen.run
	} else {
		begin, p := candidate.Monotonic(), plain{os.Stdout}
		log, draw = func(at int64, text string) { p.log(at-begin, text) }, p.run
		fmt.Printf("ZooKeeper: %s; session timeout %v, lease %v\n", ensemble.Name, o.times.Timeout, o.times.Lease)
	}
	s := newShow(ensemble.Connect, o.path, o.times, log)
	drawing, stopDrawing := context.WithCancel(context.Background())
	drawn := make(chan struct{})
	go func() { defer close(drawn); draw(drawing, s) }()
	err := s.run(ctx)
	stopDrawing()
	<-drawn
	h := s.history
	h.summary(os.Stdout)
	if err == nil && len(h.terms) == 0 {
		err = errors.New(cmp.Or(h.trouble, "nobody was elected"))
	}
	if err != nil {
		complain(err)
	}
	if err != nil || len(h.problems()) > 0 {
		return 1
	}
	return 0
}
