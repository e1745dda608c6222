package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// Line is one line of a candidate's output; see examples/candidate. A peer prints only the events
// session, joined, elected, beat, suspended, deposed, error and left, and one of Curator looked.
type Line struct {
	T         int64  `json:"t"` // CLOCK_MONOTONIC in ns: one clock for all processes of a machine
	ID        string `json:"id"`
	Event     string `json:"event"`
	Session   string `json:"session"`
	TimeoutMS int64  `json:"timeout_ms"`
	Node      string `json:"node"`
	Token     int64  `json:"token"` // czxid of the leader's znode, for peers too
	Reason    string `json:"reason"`
	Error     string `json:"error"`
}

// Peer is a candidate at work, one of ours included. Its methods may be called from any goroutine.
type Peer struct {
	Kind Kind
	ID   string

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	onLine func(Line)
	done   chan struct{} // closed when the process is gone
	stderr bytes.Buffer  // the command's until done

	mu    sync.Mutex // guards what follows
	lines []Line
	more  chan struct{} // closed and replaced at each line, and closed at the end
	next  int           // the first line that Wait has not passed
	ended bool
}

// ErrEnded says that a candidate's process ended before it told what was waited for.
var ErrEnded = errors.New("peers: the process has ended")

func start(k Kind, cfg Config, argv []string) (*Peer, error) {
	p := &Peer{Kind: k, ID: cfg.ID, onLine: cfg.OnLine,
		cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

// read collects the lines until the process is gone.
func (p *Peer) read(stdout io.Reader) {
	for in := bufio.NewScanner(stdout); in.Scan(); {
		var l Line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			l = Line{ID: p.ID, Event: "error", Error: "no JSON: " + in.Text()}
		}
		p.add(&l)
	}
	p.cmd.Wait()
	p.add(nil)
	close(p.done)
}

// add keeps a line, or the end if it is nil.
func (p *Peer) add(l *Line) {
	p.mu.Lock()
	if l != nil {
		p.lines = append(p.lines, *l)
	} else {
		p.ended = true
	}
	close(p.more)
	p.more = make(chan struct{})
	p.mu.Unlock()
	if l != nil && p.onLine != nil {
		p.onLine(*l)
	}
}

// Lines returns what the candidate has told so far.
func (p *Peer) Lines() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Line(nil), p.lines...)
}

// Wait returns the next line of an event after the one that it returned last, passing over all
// others. The error is [ErrEnded] or the context's.
func (p *Peer) Wait(ctx context.Context, event string) (Line, error) {
	for {
		l, more, err := p.pass(event)
		if more == nil {
			return l, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Line{}, fmt.Errorf("%s %s has not told %q: %w", p.Kind, p.ID, event, context.Cause(ctx))
		}
	}
}

// pass looks through the lines that are there; more is nil when there is nothing to wait for.
func (p *Peer) pass(event string) (found Line, more chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; p.next < len(p.lines); p.next++ {
		if l := p.lines[p.next]; l.Event == event {
			p.next++
			return l, nil, nil
		}
	}
	if p.ended {
		return Line{}, nil, fmt.Errorf("%w: %s %s, before it told %q", ErrEnded, p.Kind, p.ID, event)
	}
	return Line{}, p.more, nil
}

// Send gives the candidate a command: "resign" or "quit", or "look" to a LeaderLatch.
func (p *Peer) Send(command string) error {
	_, err := fmt.Fprintln(p.stdin, command)
	return err
}

// Signal sends a signal, such as SIGSTOP and SIGCONT.
func (p *Peer) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process with SIGKILL, a crash, and waits until it is gone.
func (p *Peer) Kill() {
	p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// Done is closed when the process is gone.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Stderr returns what the process has written to stderr; call it after Done.
func (p *Peer) Stderr() string { return p.stderr.String() }
