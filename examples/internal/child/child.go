// Package child lets an example program run itself again, in child processes that it can
// kill and pause. What the children have to say they write to stdout, in lines.
//
// Children do not outlive their parent: on Linux the kernel sees to that; elsewhere a
// child should end when its stdin does, or dies of a broken pipe when it writes a line.
package child

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// roleVariable holds a child's role.
const roleVariable = "ZKRECIPE_EXAMPLE_ROLE"

// maxLine is how long a line may be, in bytes.
const maxLine = 1 << 20

// leaveWithin is how long a child may take to end when asked to: the leave of a candidate
// is bounded by less.
const leaveWithin = 6 * time.Second

// Role returns the role with which Start has started this process, "" in the process that
// the user has started.
func Role() string { return os.Getenv(roleVariable) }

// Child is a process. Its methods may be called from any goroutine.
type Child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer  // the command's until done
	done   chan struct{} // closed when the process is gone and its last line was told
	err    error         // why it ended otherwise than with 0; to be read after done
}

// Start runs this very program in a role, with these arguments. Each line of its output
// goes to tell, in order; the first error that tell returns becomes the child's.
func Start(role string, args []string, tell func(line []byte) error) (*Child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(exe, args...), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := tether.Start(c.cmd); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	go func() {
		defer close(c.done)
		strange := read(stdout, tell)
		if c.err = c.cmd.Wait(); c.err == nil {
			c.err = strange
		}
	}()
	return c, nil
}

// read passes lines on until there are no more.
func read(stdout io.Reader, tell func([]byte) error) (strange error) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := tell(lines.Bytes()); err != nil && strange == nil {
			strange = fmt.Errorf("cannot understand the line %q: %w", lines.Text(), err)
		}
	}
	return strange
}

// Done is closed when the process is gone and tell has got its last line.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err waits for the child's end and returns why that was not with exit code 0.
func (c *Child) Err() error {
	<-c.done
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("%w %s", c.err, bytes.TrimSpace(c.stderr.Bytes()))
}

// Send writes a line to the child's stdin. If it cannot, the child is gone, which Done
// tells.
func (c *Child) Send(line string) { fmt.Fprintln(c.stdin, line) }

// Kill ends the child without giving it a chance to say goodbye (kill -9).
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // fails when it is gone already
	<-c.done
}

// Stop asks the child to end, by a line unless it is empty, and by the end of its stdin.
// It kills a child that takes too long, and returns what Err does.
func (c *Child) Stop(line string) error {
	c.Resume() // it may be paused
	// Before anything is written: a child that does not read may have let the pipe fill up.
	guard := time.AfterFunc(leaveWithin, func() { _ = c.cmd.Process.Kill() })
	defer guard.Stop()
	if line != "" {
		c.Send(line)
	}
	_ = c.stdin.Close() // fails when the child is gone
	return c.Err()
}
