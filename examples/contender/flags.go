package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

// options are the flags.
type options struct {
	zk, path, id, style, recipe string
	times, size                 int
	try, verbose                bool
	hold, rest, beat            time.Duration
	session                     flags.Times
	access                      flags.Access
}

const usage = `contender wants a lock, or a permit of a semaphore, and tells what happens as JSON lines on stdout.
Commands on stdin: "release" gives it away, "acquire" asks for it again, "quit" leaves.

`

// untilTold is a rest that only "acquire" ends.
const untilTold = -1

// maxTimeout is the longest session timeout that makes sense here.
const maxTimeout = time.Minute

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{rest: untilTold, session: flags.Times{Timeout: 15 * time.Second, Lease: 4 * time.Second}}
	f := flag.NewFlagSet("contender", flag.ContinueOnError)
	f.SetOutput(io.Discard) // the caller prints errors, once
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/contender", "the `znode` of the lock or semaphore, created when missing")
	f.StringVar(&o.id, "id", "", "this contender's `name` (default host name and process id)")
	f.StringVar(&o.recipe, "recipe", "lock", "what to hold: `"+strings.Join(recipeNames(), "|")+"`")
	f.StringVar(&o.style, "style", "curator", "how the znode is named: `curator|kazoo`")
	f.DurationVar(&o.hold, "hold", 0, "how long to hold it; 0: until told")
	f.Func("rest", "time between a release and the next acquisition\n(default until told if -hold is 0, else none)", func(s string) (err error) {
		o.rest, err = time.ParseDuration(s)
		return err
	})
	f.IntVar(&o.size, "size", 2, "how many permits a semaphore has")
	f.IntVar(&o.times, "times", 0, "how often to acquire it before leaving; 0: for ever")
	f.BoolVar(&o.try, "try", false, "do not wait for others")
	f.DurationVar(&o.beat, "beat", 10*time.Millisecond, "time between two beats of a holder")
	f.BoolVar(&o.verbose, "v", false, "log to stderr")
	o.session.Define(f)
	o.access.Define(f)
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return nil, err
	}
	o.zk = *zk
	return o, o.check(f)
}

func (o *options) check(f *flag.FlagSet) error {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case !slices.Contains(recipeNames(), o.recipe):
		return fmt.Errorf("-recipe is %q; want %s", o.recipe, strings.Join(recipeNames(), " or "))
	case o.hold < 0 || o.hold > 24*time.Hour:
		return fmt.Errorf("-hold is %v; want 0 to 24h", o.hold)
	case o.rest < untilTold || o.rest > 24*time.Hour:
		return fmt.Errorf("-rest is %v; want 0 to 24h", o.rest)
	case o.size < 1 || o.size > 4096:
		return fmt.Errorf("-size is %d; want 1 to 4096", o.size)
	case o.times < 0:
		return fmt.Errorf("-times is %d; want 0 or more", o.times)
	case o.beat < 100*time.Microsecond || o.beat > time.Hour:
		return fmt.Errorf("-beat is %v; want 100µs to 1h", o.beat)
	}
	if o.rest == untilTold && o.hold > 0 {
		o.rest = 0
	}
	o.id = flags.ID(o.id)
	return errors.Join(o.session.Check(f, maxTimeout), o.access.Check())
}

func (o *options) logger(stderr io.Writer) *slog.Logger {
	if !o.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
