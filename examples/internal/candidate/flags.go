package candidate

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
)

// options are the flags.
type options struct {
	zk, path, id, data, style   string
	timeout, lease, drain, beat time.Duration
	observe, follow, verbose    bool
	access                      flags.Access
}

const usage = `candidate stands for election and tells what happens as JSON lines on stdout.
Commands on stdin: "resign" steps down and joins the line again, "quit" leaves.

`

// parse reads the flags and checks those that the library does not know. What is wrong
// with the others, session.Open and election.New say.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{timeout: 15 * time.Second, drain: 30 * time.Second, beat: 10 * time.Millisecond}
	f := flag.NewFlagSet("candidate", flag.ContinueOnError)
	f.SetOutput(io.Discard) // the caller prints errors, once
	f.StringVar(&o.zk, "zk", "127.0.0.1:2181", "the ensemble, as `host:port,.../chroot`")
	f.StringVar(&o.path, "path", "/zkrecipe/example", "the election's `znode`, created when missing")
	f.StringVar(&o.id, "id", "", "this candidate's `name` (default host name and process id)")
	f.StringVar(&o.data, "data", "", "`text` for observers to read")
	f.StringVar(&o.style, "style", "latch", "how the znode is named: `latch|lock|kazoo`")
	o.access.Define(f)
	duration(f, &o.timeout, "timeout", "session timeout to ask for (default 15s)")
	duration(f, &o.lease, "lease", "how long a lease lasts: about the time until a crashed leader is replaced\n(default 4s, or half of -timeout)")
	duration(f, &o.drain, "drain", "how long the end of a term waits for the work to stop (default 30s)")
	duration(f, &o.beat, "beat", "time between two beats of a leader (default 10ms)")
	f.BoolVar(&o.observe, "observe", false, "do not stand for election, tell who leads")
	f.BoolVar(&o.follow, "follow", false, "tell who leads while standing for election, too")
	f.BoolVar(&o.verbose, "v", false, "log to stderr")
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	}
	return o, o.check()
}

// duration defines a flag whose error says what a duration looks like.
func duration(f *flag.FlagSet, d *time.Duration, name, usage string) {
	f.Func(name, usage, func(s string) (err error) {
		if *d, err = time.ParseDuration(s); err != nil {
			return fmt.Errorf("want a duration such as 500ms or 10s")
		}
		return nil
	})
}

func (o *options) check() error {
	if o.beat < 100*time.Microsecond || o.beat > time.Hour {
		return fmt.Errorf("-beat is %v; want 100µs to 1h", o.beat)
	}
	o.id = flags.ID(o.id)
	return o.access.Check()
}

func (o *options) logger(stderr io.Writer) *slog.Logger {
	if !o.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(stderr, nil))
}
