//go:build linux

package campaign

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// candidate is a process of examples/candidate, or of examples/contender.
type candidate struct {
	id     string
	kind              // of a contender; without a recipe it is a candidate
	home   *namespace // where it lives; nil: where we do
	zk     string     // its connect string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer  // complete after done
	done   chan struct{} // closed when the process is gone and its last line was told
	killed bool          // by us
	paused bool
}

// startCandidate starts a process; each of its lines goes to tell, in order, from one goroutine.
func startCandidate(exe string, c *candidate, path string, timeout, lease time.Duration, tell func(history.Line)) error {
	argv := append(strings.Fields(exe), "-zk", c.zk, "-path", path, "-id", c.id, "-timeout", timeout.String(), "-lease", lease.String(), "-beat", beat.String(), "-v")
	if c.home != nil {
		argv = c.home.wrap(argv...)
	}
	c.cmd, c.done = exec.Command(argv[0], argv[1:]...), make(chan struct{})
	c.killed, c.paused, c.stderr = false, false, bytes.Buffer{}
	c.cmd.Stderr = &c.stderr
	stdin, err1 := c.cmd.StdinPipe()
	stdout, err2 := c.cmd.StdoutPipe()
	err := errors.Join(err1, err2)
	if err == nil {
		err = tether.Start(c.cmd)
	}
	if err != nil {
		close(c.done)
		return fmt.Errorf("start %s: %w", c.id, err)
	}
	c.stdin = stdin
	go func() {
		defer close(c.done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var l history.Line
			// A process that is killed may leave half a line.
			if json.Unmarshal(lines.Bytes(), &l) == nil && l.ID == c.id {
				tell(l)
			}
		}
		_ = c.cmd.Wait() // ProcessState tells how it ended
	}()
	return nil
}

func (c *candidate) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// command sends a command. If it cannot, the process is gone, which done tells.
func (c *candidate) command(word string) { fmt.Fprintln(c.stdin, word) }

// kill is kill -9; it waits for the end.
func (c *candidate) kill() {
	c.killed = true
	_ = c.cmd.Process.Kill() // fails when it is gone already
	<-c.done
}

// pause returns when the process stands still.
func (c *candidate) pause() error {
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	c.paused = true
	return waitStopped(c.cmd.Process.Pid)
}

func (c *candidate) resume() {
	c.paused = false
	_ = c.cmd.Process.Signal(syscall.SIGCONT) // fails when it is gone
}

// leaveWithin is how long a candidate may take to leave: the 5 s that it promises, and what a busy
// machine may add.
const leaveWithin = 20 * time.Second

// leave asks the process to end, by a signal or by a word, and returns how it ended if that was not
// in order.
func (c *candidate) leave(word string) error {
	if word != "" {
		c.command(word)
	} else {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
	}
	guard := time.NewTimer(leaveWithin)
	defer guard.Stop()
	select {
	case <-c.done:
	case <-guard.C:
		c.kill()
		return fmt.Errorf("%s has not ended %v after it was told to", c.id, leaveWithin)
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s has ended with %d: %s", c.id, code, bytes.TrimSpace(c.stderr.Bytes()))
	}
	return nil
}
