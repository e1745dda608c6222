// Package child lets an example program run itself again, in child processes that it can kill and
// pause. What the children have to say they write to stdout, in lines.
//
// Children do not outlive their parent: on Linux the kernel sees to that; elsewhere a child should
// end when its stdin does, or dies of a broken pipe when it writes a line.
package child

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

const (
	mark        = "ZKRECIPE_EXAMPLE_CHILD" // is set in the environment of a child
	maxLine     = 1 << 20                  // how long a line may be, in bytes
	leaveWithin = 6 * time.Second          // how long a child may take to end when asked to; a candidate leaves sooner
)

// Is reports whether this process is a child.
func Is() bool { return os.Getenv(mark) != "" }

// Run is for a child: it calls f with a context that also ends when the parent stops the child, or
// is gone. Then it returns nil.
func Run(ctx context.Context, f func(context.Context) error) error {
	return Hear(ctx, func(string) {}, f)
}

// Hear is Run for a child that hears the lines which the parent sends. hear is called in a
// goroutine of its own.
func Hear(ctx context.Context, hear func(line string), f func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	go func() { // not waited for: a read of stdin cannot be cancelled
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			hear(in.Text())
		}
		stop()
	}()
	if err := f(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// A Group holds the children of a demonstration, and the lock that guards what they have told. A
// child must not end by itself: that is a failure, and the first failure ends the demonstration.
type Group struct {
	args []string
	tell func(id string, line []byte) error

	mu       sync.Mutex // guards what follows, and what the demonstration knows; held for moments
	changed  notify.Change
	children map[string]*Child // those that should be there
	err      error             // the first failure
}

// Child is a process.
type Child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer  // the command's until done
	done   chan struct{} // closed when the process is gone and its last line was told
	err    error         // why it ended otherwise than with 0; to be read after done
}

// NewGroup returns a group without children. Each will be this very program with the arguments and
// an -id. Its lines go to tell, in order and with the lock held. The first error that tell returns
// becomes the child's.
func NewGroup(args []string, tell func(id string, line []byte) error) *Group {
	return &Group{args: args, tell: tell, children: map[string]*Child{}}
}

// Do calls f with the lock held, and wakes those who wait in Until.
func (g *Group) Do(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	g.changed.Tell()
}

// Until waits for a condition, which is called with the lock held. It returns an error when ctx
// ends and after the first failure.
func (g *Group) Until(ctx context.Context, what string, condition func() bool) error {
	for {
		g.mu.Lock()
		ok, changed, err := condition(), g.changed.Next(), g.err
		g.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s: %w", what, context.Cause(ctx))
		}
	}
}

// Fail notes a failure if it is the first, and if err is not nil.
func (g *Group) Fail(err error) { g.Do(func() { g.err = cmp.Or(g.err, err) }) }

// Start starts a child. If the child ends by itself, that is a failure.
func (g *Group) Start(id string) {
	c := &Child{cmd: exec.Command(tether.Self, append(slices.Clone(g.args), "-id", id)...), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), mark+"=yes")
	c.cmd.Stderr = &c.stderr
	var err error
	c.stdin, err = c.cmd.StdinPipe()
	stdout, err2 := c.cmd.StdoutPipe()
	if err = cmp.Or(err, err2); err == nil {
		err = tether.Start(c.cmd)
	}
	if err != nil {
		g.Fail(fmt.Errorf("start %s: %w", id, err))
		return
	}
	g.Do(func() { g.children[id] = c })
	go func() { // ends with the child
		var strange error // what tell has returned first
		lines := bufio.NewScanner(stdout)
		for lines.Buffer(nil, maxLine); lines.Scan(); {
			g.Do(func() {
				if err := g.tell(id, lines.Bytes()); err != nil && strange == nil {
					strange = fmt.Errorf("cannot understand the line %q: %w", lines.Text(), err)
				}
			})
		}
		if err := cmp.Or(c.cmd.Wait(), strange); err != nil {
			c.err = fmt.Errorf("%w %s", err, bytes.TrimSpace(c.stderr.Bytes()))
		}
		close(c.done)
		if g.Child(id) == c {
			g.Fail(errors.Join(fmt.Errorf("%s has ended by itself", id), c.err))
		}
	}()
}

// Child returns a child that should be there, or nil.
func (g *Group) Child(id string) *Child {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.children[id]
}

// Send writes a line to the child's stdin. It fails only when the child is gone.
func (c *Child) Send(line string) { fmt.Fprintln(c.stdin, line) }

// Pause stops the process where it stands, like a machine that swaps or a virtual one that is
// moved, until Resume (SIGSTOP). Both fail only when the child is gone.
func (c *Child) Pause() { _ = c.cmd.Process.Signal(stopSignal) }

// Resume lets a paused process go on (SIGCONT). It does nothing to others.
func (c *Child) Resume() { _ = c.cmd.Process.Signal(continueSignal) }

// Kill ends a child by kill -9. All its lines have been told when it returns.
func (g *Group) Kill(id string) {
	c := g.dismiss(id)
	_ = c.cmd.Process.Kill() // fails when it is gone already
	<-c.done
}

// End asks a child to end, by the end of its stdin, and kills it if that takes too long. All its
// lines have been told when it returns.
func (g *Group) End(id string) {
	g.stop(id, g.dismiss(id), "")
}

// dismiss returns a child, which may end from now on.
func (g *Group) dismiss(id string) (c *Child) {
	g.Do(func() { c = g.children[id]; delete(g.children, id) })
	return c
}

// stop ends a child that was dismissed. If it does not end with 0, that is a failure.
func (g *Group) stop(id string, c *Child, line string) {
	if err := c.stop(line); err != nil {
		g.Fail(fmt.Errorf("%s: %w", id, err))
	}
}

// Stop asks all children to end, by a line unless it is empty, and by the end of their stdin. It
// kills those that take too long. If last names a child, Stop asks it when the others have ended:
// where the leader is the last, nobody else is elected for a moment. Stop returns the first
// failure.
func (g *Group) Stop(line, last string) error {
	var children map[string]*Child
	g.Do(func() { children, g.children = g.children, map[string]*Child{} }) // from now on they may end
	var others sync.WaitGroup
	for id, c := range children {
		if id != last {
			others.Go(func() { g.stop(id, c, line) })
		}
	}
	others.Wait()
	if c := children[last]; c != nil {
		g.stop(last, c, line)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// stop asks a child to end, and returns why it did not end with 0.
func (c *Child) stop(line string) error {
	c.Resume() // it may be paused
	// Before anything is written: a child that does not read may have let the pipe fill up.
	guard := time.AfterFunc(leaveWithin, func() { _ = c.cmd.Process.Kill() })
	defer guard.Stop()
	if line != "" {
		c.Send(line)
	}
	_ = c.stdin.Close() // fails when the child is gone
	<-c.done
	return c.err
}
