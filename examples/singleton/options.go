package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/session"
)

// options are the flags.
type options struct {
	zk, path, id           string
	access                 flags.Access
	timeout, lease, grace  time.Duration
	once, restart, verbose bool

	command []string
}

// What the library takes. The shortest are lost whenever the machine is busy.
const (
	minTimeout, maxTimeout = 400 * time.Millisecond, time.Hour
	minLease               = 200 * time.Millisecond
)

const usage = `singleton runs a command while this machine leads an election, and nowhere else meanwhile:

  singleton -zk host:port,... -path /znode [flags] -- command [arguments]

Without -zk it runs on servers in this process, without anything it shows what it does.

`

// parse reads the flags and checks those that the library does not know. What is wrong
// with the others, session.Open and election.New say.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("singleton", flag.ContinueOnError)
	f.SetOutput(io.Discard) // the caller prints errors, once
	f.StringVar(&o.zk, "zk", "", "the ensemble, as `host:port,.../chroot` (default servers in this process)")
	f.StringVar(&o.path, "path", "/zkrecipe/singleton", "the election's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this candidate's `name` (default host name and process id)")
	o.access.Define(f)
	f.DurationVar(&o.timeout, "timeout", 15*time.Second, "session timeout to ask for")
	f.DurationVar(&o.lease, "lease", 0, "how long a lease lasts: about the time until the job of a crashed machine runs elsewhere;\nthe same for all of a path (default 4s, or half of -timeout)")
	f.DurationVar(&o.grace, "grace", 0, "from SIGTERM to SIGKILL when the leadership is lost (default an eighth of -lease)")
	f.BoolVar(&o.once, "once", false, "run the command once, which is the default")
	f.BoolVar(&o.restart, "restart", false, "enter the line again when the command has ended")
	f.BoolVar(&o.verbose, "v", false, "log to stderr")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return nil, err
	}
	o.command = f.Args()
	return o, o.check()
}

func (o *options) check() error {
	if o.once && o.restart {
		return errors.New("both -once and -restart; want one of them")
	}
	if len(o.command) == 0 && o.zk != "" {
		return errors.New("no command; want -- and a command after the flags")
	}
	if o.timeout < minTimeout || o.timeout > maxTimeout {
		return fmt.Errorf("-timeout is %v; want %v to %v", o.timeout, minTimeout, maxTimeout)
	}
	o.lease = cmp.Or(o.lease, min(session.DefaultLease, o.timeout/2))
	if o.lease < minLease || o.lease > o.timeout/2 {
		return fmt.Errorf("-lease is %v; want %v to half of -timeout, which is %v", o.lease, minLease, o.timeout/2)
	}
	if longest := 3 * o.lease / 16; o.grace < 0 || o.grace > longest {
		return fmt.Errorf("-grace is %v; want 0 to three sixteenths of -lease, which are %v of %v: "+
			"SIGTERM and SIGKILL have to fit into the lease", o.grace, longest, o.lease)
	}
	o.grace = cmp.Or(o.grace, o.lease/8)
	o.id = flags.ID(o.id)
	return o.access.Check()
}

// killRoom is how long before the lease's end SIGKILL is sent: the time for the kernel to
// carry it out, and for the guardian to be late.
func killRoom(lease time.Duration) time.Duration { return lease / 16 }

// stopBefore is how long before the lease's end SIGTERM is sent. The library wants at
// most a quarter of the lease; -grace is checked to fit in.
func (o *options) stopBefore() time.Duration { return o.grace + killRoom(o.lease) }

// logger tells warnings, or everything if asked to.
func (o *options) logger(stderr io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
}
