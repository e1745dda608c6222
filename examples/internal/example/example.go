// Package example has what the example programs share: flags, an ensemble, the end by a signal,
// exit codes, and lines with times that tell what happens.
package example

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Program is an example program.
type Program struct {
	Flags   *flag.FlagSet  // a program may define more of them before Main
	Path    string         // -path
	Session session.Config // -timeout, -lease and who the program is to the servers; a program may add to it
	Connect string         // -zk, or, while Run runs, where the servers in this process are

	Servers  string           // which servers they are, in a few words
	Embedded *zktest.Ensemble // for faults; nil if -zk names an ensemble

	auth, sasl string
}

// New returns a program with the flags that all examples have.
func New(name, path string, timeout, lease time.Duration) *Program {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	p := &Program{Flags: f}
	f.StringVar(&p.Connect, "zk", "", "the ensemble, as `host:port,.../chroot` (default three servers in this process)")
	f.StringVar(&p.Path, "path", path, "the `znode` of the example, created when missing")
	f.DurationVar(&p.Session.Timeout, "timeout", timeout, "session timeout to ask for")
	f.DurationVar(&p.Session.Lease, "lease", lease, "how long a lease lasts: about the time until a crashed process is replaced\n(0: 4s, or half of a shorter -timeout)")
	// Not by flag.Func, which tells a value that is wrong: it may hold a password.
	f.StringVar(&p.auth, "auth", "", "`digest:user:password`; znodes are then for that user alone")
	f.StringVar(&p.sasl, "sasl", "", "`digest:user:password` of the servers' JAAS configuration; znodes are then for that user alone")
	f.StringVar(&p.Session.TLSFiles.Authorities, "ca", "", "speak TLS with servers whose certificates come from the authorities in this PEM `file`")
	f.StringVar(&p.Session.TLSFiles.Certificate, "cert", "", "the own certificate for TLS, a PEM `file`; with -key")
	f.StringVar(&p.Session.TLSFiles.Key, "key", "", "the key of -cert, a PEM `file`")
	return p
}

// mistake is an error in the flags.
type mistake struct{ error }

// Mistake marks an error as one in the flags, for which the exit code is 2.
func Mistake(err error) error {
	if err == nil {
		return nil
	}
	return mistake{err}
}

// Parse reads the flags. What is wrong with times and files, Client says. A lease that was not
// asked for is at most half of the session timeout.
func (p *Program) Parse(args []string) error {
	p.Flags.SetOutput(io.Discard) // an error is told once, by Do
	err := p.Flags.Parse(args)
	if err == flag.ErrHelp {
		return err
	}
	asked := false
	p.Flags.Visit(func(f *flag.Flag) { asked = asked || f.Name == "lease" })
	if !asked {
		p.Session.Lease = min(p.Session.Lease, p.Session.Timeout/2)
	}
	return Mistake(cmp.Or(p.explained(err),
		credential("auth", p.auth, func(user, password string) {
			p.Session.Auth = []session.Auth{session.Digest(user, password)}
		}),
		credential("sasl", p.sasl, func(user, password string) { p.Session.SASL = session.SASLDigest(user, password) })))
}

// explained says what a flag takes if its value was no such thing.
func (p *Program) explained(err error) error {
	if err == nil {
		return nil
	}
	text, bad := strings.CutSuffix(err.Error(), "parse error")
	p.Flags.VisitAll(func(f *flag.Flag) {
		value, typed := f.Value.(flag.Getter)
		if !bad || !typed || !strings.HasSuffix(text, "-"+f.Name+": ") {
			return
		}
		switch value.Get().(type) {
		case time.Duration:
			err = errors.New(text + "want a time such as 250ms or 2m")
		case int:
			err = errors.New(text + "want a whole number")
		case bool:
			err = errors.New(text + "want true or false")
		}
	})
	return err
}

// credential calls use with the user and the password of a flag, if it is set. The error has no
// password.
func credential(name, value string, use func(user, password string)) error {
	if value == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(value, ":")
	user, password, _ := strings.Cut(rest, ":")
	if scheme != "digest" || user == "" || password == "" {
		return fmt.Errorf("-%s has scheme %q and user %q; want digest:user:password", name, scheme, user)
	}
	use(user, password)
	return nil
}

// Args are the flags for a child process, as they are now. The child parses them with a Program
// that has the same.
func (p *Program) Args() (args []string) {
	p.Flags.VisitAll(func(f *flag.Flag) { args = append(args, "-"+f.Name+"="+f.Value.String()) })
	return args
}

// ID returns what a flag -id says, or the host's name and the process id where that is "".
func ID(value string) string {
	host, _ := os.Hostname() // without it the process id has to do
	return cmp.Or(value, fmt.Sprintf("%s-%d", host, os.Getpid()))
}

// Main runs the program and ends it. The exit code is 1 if run fails, and 2 for a [Mistake]. check
// looks at the flags that the program has defined; it may be nil.
func (p *Program) Main(check func() error, run func(context.Context) error) {
	stderr := NewWriter(os.Stderr)
	code := p.Do(os.Args[1:], stderr, check, run)
	Stdout.Finish()
	stderr.Finish()
	os.Exit(code)
}

// Demonstrate is Main for a program that says at once what is wrong if no server of the ensemble
// answers.
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

// Run calls run with an ensemble. If -zk names none, it starts three servers in this process, and
// sets Embedded.
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

var ErrLate = errors.New("something does not stop when its context ends")

// Within calls run, and returns its error, or ErrLate if run has not returned for that long after
// the end of ctx.
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

// Writer passes what is written on to another writer, in order, and never waits for that one. It is
// for programs that have to end another process in time, even if nobody reads their output. It
// drops what does not fit into its queue.
type Writer struct{ feed *feed.Feed[[]byte] }

const (
	maxWrites  = 1000        // wait for a reader that does not read
	lastWrites = time.Second // is how long the end of a program waits for a reader
)

// NewWriter returns a Writer that passes on to another one. What cannot be written is lost: nobody
// is there to be told.
func NewWriter(to io.Writer) *Writer {
	return &Writer{feed.New(func(p []byte) { _, _ = to.Write(p) }, maxWrites)}
}

// Write implements io.Writer. It always succeeds.
func (w *Writer) Write(p []byte) (int, error) {
	w.feed.Send(bytes.Clone(p))
	return len(p), nil
}

// Finish gives the reader a second to read the rest.
func (w *Writer) Finish() { w.feed.WaitFor(clock.System, lastWrites) }

// Stdout is the program's stdout. Writing to it does not block, even if nobody reads it. Main calls
// its Finish.
var Stdout = NewWriter(os.Stdout)

var begun = time.Now()

// Say tells what happens, in a line with the time since the program began.
func Say(format string, args ...any) {
	fmt.Fprintf(Stdout, "%7.3f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}
