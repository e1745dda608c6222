// Billing charges each subscription once per period, from three processes of which one
// leads, through crashes and pauses. A database (bbolt) with a fence refuses what a leader
// charges that has been replaced without knowing it.
//
//	go run ./examples/billing                          one run, about 2 seconds
//	go run ./examples/billing -fence=false             what happens without the fence
//	go run ./examples/billing -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// What to copy is in bill.go: how the term's Valid, its token and its context are used.
// The database belongs to this process and is served to the billers over HTTP on loopback.
//
// Leaders are killed (kill -9) after the database has carried out their charge and before
// they hear of it, and paused (SIGSTOP) between their look at Valid and their charge until
// another has made it: when they go on, they make it too. In the end the ledger is read
// again. The exit code is 0 if it proves that every subscription was charged exactly once
// for every period, and that each of those late charges was attempted and refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

var (
	names   = []string{"alice", "bob", "carol"}
	periods = []string{"January", "February", "March"}
	plan    = []act{
		{"January", 8, crash},
		{"February", 8, pause},
		{"March", 6, crash},
		{"March", 14, pause},
	}
)

// subscriptions is how many there are.
const subscriptions = 24

// patience guards against hanging.
const patience = time.Minute

func main() {
	var err error
	if child.Role() == asBiller {
		err = biller(os.Args[1:], func(db *remote) books { return worst{db} })
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
		fmt.Fprintln(os.Stderr, "billing:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	zk, path string
	times    flags.Times
	fence    bool
}

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond}
	f := flag.NewFlagSet("billing", flag.ContinueOnError)
	connect := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/billing", "the election's `znode`, created when missing; nobody else's")
	o.times.Define(f)
	f.BoolVar(&o.fence, "fence", true, "let the database refuse stale tokens")
	err = f.Parse(args)
	o.zk = *connect
	switch {
	case err != nil:
		return o, err // which Parse has told
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	default:
		err = o.times.Check(f, patience/4)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "billing:", err)
	}
	return o, err
}

// run is the program: it lets them bill, then reads from the ledger what came of it.
func run(ctx context.Context, o options) error {
	if !child.CanPause {
		return errors.New("this system cannot pause processes")
	}
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close()
	if err := ensemble.Reach(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "billing")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ledger.db")
	var subs []string
	for i := range subscriptions {
		subs = append(subs, fmt.Sprintf("sub-%02d", i+1))
	}
	fmt.Printf("ZooKeeper: %s. Database: bbolt, fence %s.\n", ensemble.Name, map[bool]string{true: "on", false: "OFF"}[o.fence])
	d, err := stage(ctx, o, ensemble.Connect, file, subs)
	if err != nil {
		return err
	}
	return conclude(d, file, subs)
}

// stage performs the plan with a database in file.
func stage(ctx context.Context, o options, connect, file string, subs []string) (*director, error) {
	l, err := createLedger(file, subs, o.fence)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	d := newDirector(l, plan, append(o.times.Args(), "-zk", connect, "-path", o.path, "-db", "http://"+listener.Addr().String()))
	server := &http.Server{Handler: d.handler(), BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }()
	err = d.run(ctx, names, periods)
	err = errors.Join(err, d.stop())
	// The billers are gone, so Shutdown has nobody to wait for.
	err = errors.Join(err, server.Shutdown(context.WithoutCancel(ctx)))
	<-served
	return d, errors.Join(err, l.close())
}
