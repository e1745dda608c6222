package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
)

// asCandidate in the environment makes this program a candidate: see main.
const asCandidate = "ZKRECIPE_EXAMPLE_CANDIDATE"

// child is a candidate in a process of its own.
type child struct {
	id     string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	done   chan struct{} // closed when the process is gone and its last line was told
	err    error         // how it ended; to be read after done
}

// startChild runs this very program as a candidate. Each of its lines goes to tell.
func startChild(id string, flags []string, tell func(candidate.Line)) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{id: id, cmd: exec.Command(exe, append(flags, "-id", id)...), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), asCandidate+"=1")
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startProcess(c.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", id, err)
	}
	go func() {
		defer close(c.done)
		malformed := c.read(stdout, tell)
		if c.err = c.cmd.Wait(); c.err == nil {
			c.err = malformed
		}
	}()
	return c, nil
}

// read takes in the child's lines up to the last.
func (c *child) read(stdout io.Reader, tell func(candidate.Line)) (malformed error) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var l candidate.Line
		// A process that is killed may leave half a line.
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.ID != c.id {
			malformed = fmt.Errorf("cannot understand the line %q", lines.Text())
			continue
		}
		tell(l)
	}
	return malformed
}

// command sends a command. If it cannot, the child is gone, which done tells.
func (c *child) command(word string) { fmt.Fprintln(c.stdin, word) }

// kill ends the child without giving it a chance to say goodbye (kill -9).
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // fails when it is gone already
	<-c.done
}

// leaveWithin is what a candidate promises for its leave, and a bit.
const leaveWithin = 6 * time.Second

// quit lets the child leave, and kills it if it does not.
func (c *child) quit() error {
	c.resume() // it may be paused
	c.command("quit")
	guard := time.AfterFunc(leaveWithin, func() { _ = c.cmd.Process.Kill() })
	defer guard.Stop()
	<-c.done
	return c.failure()
}

// failure says how the child has ended if that was not with exit code 0.
func (c *child) failure() error {
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("candidate %s: %w %s", c.id, c.err, bytes.TrimSpace(c.stderr.Bytes()))
}
