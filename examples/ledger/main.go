// Ledger moves money between accounts in a database, from three tellers that take turns by a lock.
// If a teller has lost the lock and does not know it, the database (bbolt) refuses its write once
// the next one has looked.
//
//	go run ./examples/ledger                          one run, about 5 seconds
//	go run ./examples/ledger -fence=false             what happens without the fence
//	go run ./examples/ledger -zk zk1:2181,zk2:2181    on an ensemble of yours
//
// Copy from teller.go how the lock is held around a read and a write, and how its token goes with
// both. In the middle of the run an administrator deletes the znode of a teller that is paused
// between its read and its write. The next teller gets the lock a lease later, and moves money on
// the same accounts. Then the first teller writes what it has computed from its old read. With the
// fence the database refuses that. Without it, money appears or disappears.
//
// The exit code is 0 if at the end there is as much money as at the beginning.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

// What is moved, and how often.
const (
	accounts   = 4
	beginning  = 100 // in each account
	perTeller  = 100
	rest       = 5 * time.Millisecond // between two moves
	stalledFor = 2                    // leases, after the znode is deleted
)

func main() {
	p := &program{Program: example.New("ledger", "/zkrecipe/ledger", 4*time.Second, time.Second)}
	p.Flags.BoolVar(&p.fence, "fence", true, "let the database refuse old tokens")
	p.Demonstrate(nil, p.run)
}

// program is the demonstration with its own flag.
type program struct {
	*example.Program
	fence bool
}

func (p *program) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bank, err := openBank(filepath.Join(dir, "bank.db"), p.fence)
	if err != nil {
		return err
	}
	defer bank.close()
	fmt.Printf("%s, lock %s; %d accounts with %d each\n", p.Servers, p.Path, accounts, beginning)
	if err := p.letTellersWork(ctx, bank); err != nil {
		return err
	}
	return report(bank)
}

// letTellersWork runs three tellers, each a client of its own as a process would be.
func (p *program) letTellersWork(ctx context.Context, bank *bank) error {
	names := []string{"alice", "bob", "carol"}
	done := make(chan error, len(names))
	for i, name := range names {
		client, err := p.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		t := &teller{name: name, client: client, bank: bank, path: p.Path}
		if i == 0 {
			t.stall = stalledFor * p.Session.Lease
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
