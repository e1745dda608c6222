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
// another has made it: when they go on, they make it too. In the end the ledger is read.
// The exit code is 0 if it proves that every subscription was charged exactly once
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
	plan    = map[item]act{
		{"January", "sub-09"}:  crash,
		{"February", "sub-09"}: pause,
		{"March", "sub-07"}:    crash,
		{"March", "sub-15"}:    pause,
	}
)

// subscriptions is how many there are.
const subscriptions = 24

// patience guards against hanging.
const patience = time.Minute

func main() {
	if child.Role() == asBiller {
		exitIf(1, biller(os.Args[1:], func(db *remote) books { return worst{db} }))
		return
	}
	o, err := parse(os.Args[1:])
	exitIf(2, err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	exitIf(1, run(ctx, o))
}

// exitIf ends the program if there is an error.
func exitIf(code int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "billing:", err)
		os.Exit(code)
	}
}

// options are the flags.
type options struct {
	zk, path string
	times    flags.Times
	fence    bool
}

// parse reads the flags. It ends the program after -help, and when a value cannot be read.
func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 10 * time.Second, Lease: 400 * time.Millisecond}
	f := flag.NewFlagSet("billing", flag.ExitOnError)
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/billing", "the election's `znode`, created when missing; nobody else's")
	o.times.Define(f)
	f.BoolVar(&o.fence, "fence", true, "let the database refuse stale tokens")
	_ = f.Parse(args)
	o.zk = *zk
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	}
	return o, o.times.Check(f, patience/4)
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
	l, err := createLedger(filepath.Join(dir, "ledger.db"), allItems(), o.fence)
	if err != nil {
		return err
	}
	defer l.close()
	fmt.Printf("ZooKeeper: %s. Database: bbolt, fence %s.\n", ensemble.Name, map[bool]string{true: "on", false: "OFF"}[o.fence])
	d := newDirector(l, append(o.times.Args(), "-zk", ensemble.Connect, "-path", o.path))
	if err := serve(ctx, d); err != nil {
		return err
	}
	return conclude(d)
}

// allItems are each subscription for each period.
func allItems() (items []item) {
	for _, p := range periods {
		for i := range subscriptions {
			items = append(items, item{p, fmt.Sprintf("sub-%02d", i+1)})
		}
	}
	return items
}

// serve serves the database to the billers while the director directs them.
func serve(ctx context.Context, d *director) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.flags = append(d.flags, "-db", "http://"+listener.Addr().String())
	server := &http.Server{Handler: d.handler()}
	go server.Serve(listener) // ends with Shutdown
	err = d.run(ctx)
	// The billers are gone, so Shutdown has nobody to wait for.
	return errors.Join(err, server.Shutdown(context.WithoutCancel(ctx)))
}
