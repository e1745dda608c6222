// Package demo has what the demonstrations among the examples share: flags, an ensemble, the end by
// Ctrl-C, exit codes, and lines with times that tell what happens.
package demo

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/output"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// Demo is a demonstration.
type Demo struct {
	Flags *flag.FlagSet // a program may define more of them before Main
	Path  string
	Times flags.Times

	zk      *string
	connect string // where Run has found the ensemble
}

// New returns a demonstration with the flags -zk, -path, -timeout and -lease.
func New(name, path string, timeout, lease time.Duration) *Demo {
	f := flag.NewFlagSet(name, flag.ExitOnError)
	d := &Demo{Flags: f, zk: zookeeper.Flag(f), Times: flags.Times{Timeout: timeout, Lease: lease}}
	f.StringVar(&d.Path, "path", path, "the `znode` of the demonstration, created when missing; nobody else's")
	d.Times.Define(f)
	return d
}

// Main runs the program. It exits with 1 if run fails, and with 2 if a flag is wrong. check looks
// at the flags that the program has defined; it may be nil.
func (d *Demo) Main(check func() error, run func(context.Context, *zookeeper.Ensemble) error) {
	_ = d.Flags.Parse(os.Args[1:]) // exits by itself if it fails, and for -help
	err := d.Times.Check(d.Flags, time.Minute)
	if d.Flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q; want flags only", d.Flags.Arg(0))
	}
	if err == nil && check != nil {
		err = check()
	}
	d.exit(2, err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err = d.Run(ctx, run)
	Stdout.Finish()
	d.exit(1, err)
}

// exit ends the program if there is an error.
func (d *Demo) exit(code int, err error) {
	if err != nil {
		stderr := output.New(os.Stderr)
		fmt.Fprintf(stderr, "%s: %v\n", d.Flags.Name(), err)
		stderr.Finish()
		os.Exit(code)
	}
}

// Run calls run with the ensemble that -zk names, or with one in this process.
func (d *Demo) Run(ctx context.Context, run func(context.Context, *zookeeper.Ensemble) error) error {
	ensemble, err := zookeeper.Open(*d.zk, d.Times.Timeout)
	if err != nil {
		return err
	}
	defer ensemble.Close()
	if err := ensemble.Reach(ctx); err != nil {
		return err
	}
	d.connect = ensemble.Connect
	return run(ctx, ensemble)
}

// Args returns flags for a child process of run. The child may parse them with a Demo, too.
func (d *Demo) Args() []string { return append(d.Times.Args(), "-zk", d.connect, "-path", d.Path) }

// Client opens a client by the flags, in run or in such a child. dial makes its connections, if it is
// not nil.
func (d *Demo) Client(dial func(ctx context.Context, network, address string) (net.Conn, error)) (*session.Client, error) {
	return session.Open(cmp.Or(d.connect, *d.zk), session.Config{Timeout: d.Times.Timeout, Lease: d.Times.Lease, Dial: dial})
}

// Sleep waits for d. It returns the cause when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, clock.System, d) }

// begun is when the program began.
var begun = time.Now()

// Stdout is the program's stdout without waiting for its reader: who reads nothing must not hold up
// the end of child processes. Main gives the reader a second for the rest.
var Stdout = output.New(os.Stdout)

// Say tells what happens, in a line with the time since the program began.
func Say(format string, args ...any) {
	fmt.Fprintf(Stdout, "%7.3f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}
