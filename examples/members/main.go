// Members shows a live list of the workers in a group.
//
//	go run ./examples/members                                          a demonstration, with an ensemble of its own
//	go run ./examples/members -zk 127.0.0.1:2181 -path /workers        the list of a group of yours
//	go run ./examples/members -zk 127.0.0.1:2181 -path /workers -id a  the same, as a member of it
//
// In the demonstration three workers come, one says what it does, one leaves, one is started again
// under its name, and one is cut off: it knows that others may count it as gone before they do.
// Each change of the list is a line. SIGTERM and SIGINT end the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/recipe/group"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// program is the example with its own flag.
type program struct {
	*example.Program
	id  string
	out *printer
}

// run is the program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	p := &program{Program: example.New("members", "/zkrecipe/members", 3*time.Second, time.Second), out: &printer{to: stdout}}
	p.Flags.StringVar(&p.id, "id", "", "join the group as `name` (with -zk)")
	return p.Do(args, stderr, p.check, func(ctx context.Context) error {
		if err := p.play(ctx); ctx.Err() == nil {
			return err
		}
		return nil // it was told to end
	})
}

func (p *program) check() error {
	if p.id != "" && p.Connect == "" {
		return errors.New("-id is for an ensemble of yours; want -zk as well")
	}
	return nil
}

// play shows the list until ctx ends or the demonstration does.
func (p *program) play(ctx context.Context) error {
	client, err := p.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	g, err := group.New(client, p.Path, group.Config{ID: p.id})
	if err != nil {
		return err
	}
	s := &screen{out: p.out, list: g.Watch()}
	defer s.list.Close()
	if p.Embedded != nil {
		p.out.say("%s; T = %v, D = %v", p.Servers, p.Session.Timeout, p.Session.Lease)
		return p.demonstrate(ctx, s)
	}
	if p.id != "" {
		m, err := g.Join(ctx)
		if err != nil {
			return err
		}
		defer m.Leave(context.WithoutCancel(ctx))
		context.AfterFunc(m.Context(), func() { p.out.say("%s: %v", p.id, context.Cause(m.Context())) })
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
