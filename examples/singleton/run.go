//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func main() {
	program := run
	if os.Args[0] == guardianName {
		program = guard
	}
	code := program(os.Args[1:])
	stderr.Finish()
	os.Exit(code)
}

// stderr takes all that is told while a job runs: a kill must not wait for the reader of a pipe.
var stderr = output.New(os.Stderr)

func complain(err error) { fmt.Fprintln(stderr, "singleton:", err) }

// outliveReaders makes a write to a pipe that nobody holds an error. Without it that kills this
// process. A job is started with the signal as this process got it.
func outliveReaders() {
	if !signal.Ignored(syscall.SIGPIPE) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
}

// run is the program; it returns the exit code.
func run(args []string) int {
	o, err := parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		complain(err)
		return codeUsage
	}
	if len(o.command) > 0 {
		if _, err := exec.LookPath(o.command[0]); err != nil {
			complain(err)
			return startCode(err)
		}
	}
	if o.zk == "" {
		// A server counts session timeouts in ticks and grants 2 to 20 of them.
		e, err := zktest.New(zktest.Config{Servers: 3, Tick: o.timeout / 10})
		if err != nil {
			complain(fmt.Errorf("cannot start an ensemble: %w", err))
			return codeFailed
		}
		defer e.Close()
		o.zk = e.ConnectString()
	}
	if len(o.command) == 0 {
		return demonstrate(o)
	}
	outliveReaders() // the client tells of its connection from now on
	s, err := newSupervisor(o)
	if err != nil {
		complain(err)
		return codeUsage
	}
	return s.run()
}

// newSupervisor checks what the library can check without I/O.
func newSupervisor(o *options) (*supervisor, error) {
	s := &supervisor{options: o, log: o.logger(stderr), finished: make(chan struct{})}
	var err error
	s.client, err = o.access.Open(o.zk, session.Config{Timeout: o.timeout, Lease: o.lease, Logger: s.log})
	if err != nil {
		return nil, err
	}
	s.election, err = election.New(s.client, o.path, election.Config{
		ID: o.id, StopBefore: o.stopBefore(), Logger: s.log,
	})
	if err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// leaveWithin is how long leaving the line may take when no job is left to wait for: what
// is not deleted by then goes when the session expires.
const leaveWithin = 4 * time.Second

// run stands for election until there is an exit code.
func (s *supervisor) run() int {
	becomeSubreaper()
	ctx, cancel := context.WithCancel(context.Background())
	s.leave = cancel
	stop := s.listen()
	defer stop()
	result := make(chan error, 1)
	go func() {
		err := s.election.Run(ctx, s.lead)
		result <- errors.Join(err, s.client.Close())
	}()
	select {
	case err := <-result:
		var refused *recipe.PermanentError
		if errors.As(err, &refused) {
			complain(err)
			s.finish(codeFailed)
		}
	case <-s.late():
		complain(fmt.Errorf("the ensemble has not answered for %v; the session will expire", leaveWithin))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

// late returns a channel that is closed leaveWithin after finish.
func (s *supervisor) late() <-chan struct{} {
	late := make(chan struct{})
	go func() { // ends in time, or with the process
		<-s.finished
		time.Sleep(leaveWithin)
		close(late)
	}()
	return late
}
