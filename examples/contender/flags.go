package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// options are the flags.
type options struct {
	id, style, recipe string
	write             string
	times             int
	size, permits     int
	try, slots        bool
	verbose           bool
	hold, rest, beat  time.Duration
}

const usage = `contender wants a lock, or a permit of a semaphore, and tells what happens as JSON lines on stdout.
Commands on stdin: "release" gives it away, "acquire" asks for it again, "downgrade" makes a writer
a reader, "revoke" asks the holder to release it, "resize N" changes the number of permits, "quit"
leaves.

`

// untilTold is a rest that only "acquire" ends.
const untilTold = -1

func newProgram() *program {
	p := &program{
		Program: example.New("contender", "/zkrecipe/contender", 15*time.Second, 0),
		options: options{rest: untilTold}, commands: make(chan string),
		requests: make(chan request, 1), revoked: make(chan *lock.Held),
	}
	f := p.Flags
	f.Usage = func() { fmt.Fprint(f.Output(), usage); f.PrintDefaults() }
	f.StringVar(&p.id, "id", "", "this contender's `name` (default host name and process id)")
	f.StringVar(&p.recipe, "recipe", "lock", "what to hold: `"+strings.Join(recipeNames(), "|")+"`")
	f.StringVar(&p.style, "style", "curator", "how the znode is named: `curator|kazoo`")
	f.DurationVar(&p.hold, "hold", 0, "how long to hold it; 0: until told")
	f.Func("rest", "time between a release and the next acquisition\n(default until told if -hold is 0, else none)", func(s string) (err error) {
		if p.rest, err = time.ParseDuration(s); err != nil || p.rest < 0 {
			return errors.New("want a time from 0 to 24h, such as 10ms")
		}
		return nil
	})
	f.IntVar(&p.size, "size", 2, "how many permits a semaphore has; 0: as many as its path says")
	f.IntVar(&p.permits, "permits", 1, "how many permits to hold at once")
	f.BoolVar(&p.slots, "slots", true,
		"give each permit a slot; all users of a path should agree\n(false: only the rank decides)")
	f.IntVar(&p.times, "times", 0,
		"how often to ask for it before leaving; with -try a busy lock\ncounts, too; 0: for ever")
	f.StringVar(&p.write, "write", "",
		"while it is held, read a znode and write it by Multi: its path is\n"+
			"`path` and then the lock's own path")
	f.BoolVar(&p.try, "try", false, "do not wait for others")
	f.DurationVar(&p.beat, "beat", 10*time.Millisecond, "time between two beats of a holder")
	f.BoolVar(&p.verbose, "v", false, "log to stderr")
	return p
}

func (p *program) check() error {
	switch {
	case !slices.Contains(recipeNames(), p.recipe):
		return fmt.Errorf("-recipe is %q; want %s", p.recipe, strings.Join(recipeNames(), " or "))
	case p.recipe == "semaphore" && p.style != string(lock.StyleCurator):
		return fmt.Errorf("-style is %q; want %s, the only one of a semaphore", p.style, lock.StyleCurator)
	case p.hold < 0 || p.hold > 24*time.Hour:
		return fmt.Errorf("-hold is %v; want 0 to 24h", p.hold)
	case p.rest > 24*time.Hour:
		return fmt.Errorf("-rest is %v; want 0 to 24h", p.rest)
	case p.size < 0 || p.size > 4096:
		return fmt.Errorf("-size is %d; want 1 to 4096, or 0 for that of the path", p.size)
	case p.permits < 1 || p.permits > 4096:
		return fmt.Errorf("-permits is %d; want 1 to 4096", p.permits)
	case p.permits > 1 && (p.try || p.recipe != "semaphore"):
		return fmt.Errorf("-permits is %d; want 1 with -try, and for a lock", p.permits)
	case strings.Contains(p.Path, ",") && (p.try || p.recipe == "semaphore"):
		return fmt.Errorf("-path is %q; want one path with -try, and for a semaphore", p.Path)
	case len(slices.Compact(slices.Sorted(strings.SplitSeq(p.Path, ",")))) < 1+strings.Count(p.Path, ","):
		return fmt.Errorf("-path is %q; want each path once", p.Path)
	case p.write != "" && !strings.HasPrefix(p.write, "/"):
		return fmt.Errorf("-write is %q; want a path", p.write)
	case p.write != "" && p.recipe == "semaphore" && p.size != 1:
		return fmt.Errorf("-write is %q; want -size 1 with it where -recipe is semaphore", p.write)
	case p.times < 0:
		return fmt.Errorf("-times is %d; want 0 or more", p.times)
	case p.beat < 100*time.Microsecond || p.beat > time.Hour:
		return fmt.Errorf("-beat is %v; want 100µs to 1h", p.beat)
	}
	if p.rest == untilTold && p.hold > 0 {
		p.rest = 0
	}
	return nil
}
