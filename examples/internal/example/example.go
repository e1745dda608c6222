// Package example has what the example programs share: flags, an ensemble, the end by a signal, exit codes, and lines
// with times that tell what happens.
package example

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

	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Main runs the program and ends it. The exit code is 1 if run fails, and 2 for a [Mistake]. check looks at the flags
// that the program has defined; it may be nil.
func (p *Program) Main(check func() error, run func(context.Context) error) {
	stderr := output.New(os.Stderr)
	code := p.Do(os.Args[1:], stderr, check, run)
	Stdout.Finish()
	stderr.Finish()
	os.Exit(code)
}

// Demonstrate is Main for a program that says at once what is wrong if no server of the ensemble answers.
func (p *Program) Demonstrate(check func() error, run func(context.Context) error) {
	p.Main(check, func(ctx context.Context) error {
		if err := p.reach(ctx); err != nil {
			return err
		}
		return run(ctx)
	})
}

// Do is Main without the end of the process. It returns the exit code.
func (p *Program) Do(args []string, stderr io.Writer, check func() error, run func(context.Context) error) (code int) {
	err := p.Parse(args)
	if err == nil && p.Flags.NArg() > 0 {
		err = Mistake(fmt.Errorf("unexpected argument %q; want flags only", p.Flags.Arg(0)))
	}
	if err == nil && check != nil {
		err = Mistake(check())
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
		err = p.Run(ctx, run)
	}
	var wrong mistake
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		p.Flags.SetOutput(stderr)
		p.Flags.Usage()
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", p.Flags.Name(), err)
	if errors.As(err, &wrong) {
		return 2
	}
	return 1
}

// Run calls run with an ensemble. If -zk names none, it starts three servers in this process, and sets Embedded.
func (p *Program) Run(ctx context.Context, run func(context.Context) error) error {
	p.Servers = p.Connect
	if p.Connect == "" {
		// A server counts session timeouts in ticks, and grants 2 to 20 of them.
		e, err := zktest.New(zktest.Config{Servers: 3, Tick: max(p.Session.Timeout, time.Second) / 10})
		if err != nil {
			return fmt.Errorf("cannot start an ensemble: %w", err)
		}
		defer e.Close()
		p.Embedded, p.Connect, p.Servers = e, e.ConnectString(), "3 servers in this process"
	}
	return run(ctx)
}

// reach returns an error if no server of the ensemble answers.
func (p *Program) reach(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = client.Session(ctx)
	return err
}

// Client opens a client by the flags, in run or in a child process that got the flags of Args.
func (p *Program) Client() (*session.Client, error) {
	client, err := session.Open(p.Connect, p.Session)
	return client, Mistake(err)
}

// ErrLate is the error of [Within] if run does not end.
var ErrLate = errors.New("something does not stop when its context ends")

// Within calls run, and returns its error. It does not wait for run for longer than that after the end of ctx.
func Within(ctx context.Context, after time.Duration, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(after):
		return fmt.Errorf("not stopped within %v; %w", after, ErrLate)
	}
}

// Sleep waits for d. It returns the cause when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, clock.System, d) }

// begun is when the program began.
var begun = time.Now()

// Stdout is the program's stdout without waiting for its reader: who reads nothing must not hold up the end of child
// processes. Main gives the reader a second for the rest.
var Stdout = output.New(os.Stdout)

// Say tells what happens, in a line with the time since the program began.
func Say(format string, args ...any) {
	fmt.Fprintf(Stdout, "%7.3f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}
