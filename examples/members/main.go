// Members shows a live list of the workers in a group.
//
//	go run ./examples/members                                          a demonstration, with an ensemble of its own
//	go run ./examples/members -zk 127.0.0.1:2181 -path /workers        the list of a group of yours
//	go run ./examples/members -zk 127.0.0.1:2181 -path /workers -id a  the same, as a member of it
//
// In the demonstration three workers come, one says what it does, one leaves, one is started again
// under its name, and one is cut off: it knows that others may count it as gone before they do. Each
// change of the list is a line. SIGTERM and SIGINT end the program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/flags"
	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	zk, path, id string
	times        flags.Times
	access       flags.Access
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{times: flags.Times{Timeout: 3 * time.Second, Lease: time.Second}}
	f := flag.NewFlagSet("members", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints errors, once
	zk := zookeeper.Flag(f)
	f.StringVar(&o.path, "path", "/zkrecipe/members", "the group's `znode`")
	f.StringVar(&o.id, "id", "", "join the group as `name` (with -zk)")
	o.times.Define(f)
	o.access.Define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(stderr)
			f.Usage()
		}
		return nil, err
	}
	o.zk = *zk
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; want flags only", f.Arg(0))
	case o.id != "" && o.zk == "":
		return nil, errors.New("-id is for an ensemble of yours; want -zk as well")
	}
	return o, errors.Join(o.times.Check(f, time.Minute), o.access.Check())
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "members:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := play(ctx, o, stdout); err != nil && ctx.Err() == nil {
		fmt.Fprintln(stderr, "members:", err)
		return 1
	}
	return 0
}

// play shows the list until ctx ends or the demonstration does.
func play(ctx context.Context, o *options, stdout io.Writer) error {
	servers, err := zookeeper.Open(o.zk, o.times.Timeout)
	if err != nil {
		return err
	}
	defer servers.Close()
	client, err := o.access.Open(servers.Connect, session.Config{Timeout: o.times.Timeout, Lease: o.times.Lease})
	if err != nil {
		return err
	}
	defer client.Close()
	g, err := group.New(client, o.path, group.Config{ID: o.id})
	if err != nil {
		return err
	}
	out := &printer{to: stdout}
	s := &screen{out: out, list: g.Watch()}
	defer s.list.Close()
	if o.zk == "" {
		out.say("%s; T = %v, D = %v", servers.Name, o.times.Timeout, o.times.Lease)
		return demonstrate(ctx, o, servers.Connect, s)
	}
	if o.id != "" {
		m, err := g.Join(ctx)
		if err != nil {
			return err
		}
		defer m.Leave(context.WithoutCancel(ctx))
		context.AfterFunc(m.Context(), func() { out.say("%s: %v", o.id, context.Cause(m.Context())) })
	}
	return s.until(ctx, func(group.Snapshot) bool { return false })
}

// screen prints what changes in the list.
type screen struct {
	out  *printer
	list *group.Members
	last group.Snapshot
}

// until prints each change until one is what is waited for.
func (s *screen) until(ctx context.Context, done func(group.Snapshot) bool) error {
	for !done(s.last) {
		now, err := s.list.Next(ctx)
		if err != nil {
			return err
		}
		s.show(now)
	}
	return nil
}

// show prints how a snapshot differs from the last.
func (s *screen) show(now group.Snapshot) {
	come, gone, changed := now.Since(s.last)
	s.last = now
	var what []string
	for _, e := range come {
		what = append(what, "+"+e.ID)
	}
	for _, e := range gone {
		what = append(what, "-"+e.ID)
	}
	for _, e := range changed {
		what = append(what, "~"+e.ID)
	}
	var all []string
	for _, e := range now.Members {
		all = append(all, fmt.Sprintf("%s (%s)", e.ID, describe(e)))
	}
	s.out.say("%-14s %d: %s", strings.Join(what, " "), len(all), strings.Join(all, ", "))
}

func describe(e group.Entry) string {
	switch {
	case e.Err != nil:
		return "hidden"
	case len(e.Data) == 0:
		return "idle"
	}
	return string(e.Data)
}

// printer prints lines with the time since the start.
type printer struct {
	to    io.Writer
	mu    sync.Mutex // guards what follows
	begun time.Time
}

func (p *printer) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	fmt.Fprintf(p.to, "%7.3f  %s\n", time.Since(p.begun).Seconds(), strings.TrimSpace(fmt.Sprintf(format, args...)))
}
