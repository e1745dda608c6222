//go:build unix && !aix

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/session"
)

// options are the flags.
type options struct {
	zk                     *string
	path, id               string
	access                 flags.Access
	flags.Times            // -timeout and -lease
	grace                  time.Duration
	once, restart, verbose bool
	command                []string
}

// parse reads the flags and checks those that the library does not know. It ends the program after
// -help, and when a value cannot be read.
func parse(args []string) (*options, error) {
	o := &options{Times: flags.Times{Timeout: 15 * time.Second, Lease: session.DefaultLease}}
	f := flag.NewFlagSet("singleton", flag.ExitOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: singleton -zk host:port,... -path /znode [flags] -- command [arguments]")
		f.PrintDefaults()
	}
	o.zk = zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/singleton", "the election's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this candidate's `name` (default host name and process id)")
	o.access.Define(f)
	o.Times.Define(f)
	f.DurationVar(&o.grace, "grace", 0, "from SIGTERM to SIGKILL when the leadership is lost (default an eighth of -lease)")
	f.BoolVar(&o.once, "once", false, "run the command once, which is the default")
	f.BoolVar(&o.restart, "restart", false, "enter the line again when the command has ended")
	f.BoolVar(&o.verbose, "v", false, "log to stderr")
	_ = f.Parse(args)
	o.id, o.command = flags.ID(o.id), f.Args()
	return o, o.check(f)
}

func (o *options) check(f *flag.FlagSet) error {
	if o.once && o.restart {
		return errors.New("both -once and -restart; want one of them")
	}
	if len(o.command) == 0 && *o.zk != "" {
		return errors.New("no command; want -- and a command after the flags")
	}
	if err := o.Times.Check(f, time.Hour); err != nil {
		return err
	}
	if longest := 3 * o.Lease / 16; o.grace < 0 || o.grace > longest {
		return fmt.Errorf("-grace is %v; want 0 to three sixteenths of -lease, which are %v of %v: "+
			"SIGTERM and SIGKILL have to fit into the lease", o.grace, longest, o.Lease)
	}
	o.grace = cmp.Or(o.grace, o.Lease/8)
	return o.access.Check()
}

// killRoom is how long before the lease's end SIGKILL is sent: the time for the kernel to
// carry it out, and for the guardian to be late.
func killRoom(lease time.Duration) time.Duration { return lease / 16 }

// stopBefore is how long before the lease's end SIGTERM is sent. The library wants at
// most a quarter of the lease; -grace is checked to fit in.
func (o *options) stopBefore() time.Duration { return o.grace + killRoom(o.Lease) }
