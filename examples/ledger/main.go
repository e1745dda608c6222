// Ledger moves money between accounts in a database, from three tellers that take turns by a lock.
// If a teller has lost the lock and does not know it, the database (bbolt) refuses its write.
//
//	go run ./examples/ledger                          one run, about 5 seconds
//	go run ./examples/ledger -fence=false             what happens without the fence
//	go run ./examples/ledger -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// Copy from teller.go how the lock is held around a read and a write, and how its token goes with
// the write. In the middle of the run an administrator deletes the znode of a teller that is paused
// between its read and its write. The next teller gets the lock a lease later, and moves money on
// the same accounts. Then the first teller writes what it has computed from its old read. With the
// fence the database refuses that. Without it, money appears or disappears.
//
// The exit code is 0 if at the end there is as much money as at the beginning.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

type usageError struct{ error }

// options are the flags.
type options struct {
	zk    string
	path  string
	fence bool
	times flags.Times
}

func parse(args []string) (o options, err error) {
	o.times = flags.Times{Timeout: 4 * time.Second, Lease: time.Second}
	f := flag.NewFlagSet("ledger", flag.ContinueOnError)
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/ledger", "the lock's `znode`, created when missing")
	f.BoolVar(&o.fence, "fence", true, "let the database refuse old tokens")
	o.times.Define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	if f.NArg() > 0 {
		return o, usageError{fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))}
	}
	if err := o.times.Check(f, time.Minute); err != nil {
		return o, usageError{err}
	}
	o.zk = *zk
	return o, nil
}

// What is moved, and how often.
const (
	accounts   = 4
	beginning  = 100 // in each account
	perTeller  = 100
	rest       = 5 * time.Millisecond // between two moves
	stalledFor = 2                    // leases, after the znode is deleted
)

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ensemble, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close()
	if err := ensemble.Reach(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bank, err := openBank(filepath.Join(dir, "bank.db"), o.fence)
	if err != nil {
		return err
	}
	defer bank.close()
	fmt.Printf("%s, lock %s; %d accounts with %d each\n", ensemble.Name, o.path, accounts, beginning)
	if err := letTellersWork(ctx, ensemble.Connect, o, bank); err != nil {
		return err
	}
	return report(bank)
}

// letTellersWork runs three tellers, each a client of its own as a process would be.
func letTellersWork(ctx context.Context, connect string, o options, bank *bank) error {
	names := []string{"alice", "bob", "carol"}
	done := make(chan error, len(names))
	for i, name := range names {
		client, err := session.Open(connect, session.Config{Timeout: o.times.Timeout, Lease: o.times.Lease})
		if err != nil {
			return usageError{err}
		}
		defer client.Close()
		t := &teller{name: name, client: client, bank: bank, path: o.path}
		if i == 0 {
			t.stall = stalledFor * o.times.Lease
		}
		go func() { done <- t.work(ctx, perTeller) }()
	}
	var errs []error
	for range names {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

func report(bank *bank) error {
	total, moves, refused, err := bank.sum()
	if err != nil {
		return err
	}
	fmt.Printf("%d moves, %d refused; there are %d, and were %d\n", moves, refused, total, accounts*beginning)
	if total != accounts*beginning {
		return errors.New("money has appeared or disappeared")
	}
	return nil
}
