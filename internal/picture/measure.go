package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A failover is what was measured, in nanoseconds of one clock.
type failover struct {
	timeout, lease time.Duration

	beats              [2][]int64 // of the leader and of its heir
	killed             int64
	leaseEnd           int64 // of the killed leader, by what it said last
	takeover           int64 // the heir has ended the leader's beats
	elected            int64 // the heir leads
	expired            int64 // the ensemble has closed the leader's session
	oldToken, newToken int64
}

// String tells below the picture what was measured.
func (f *failover) String() string {
	return wrapped("A leader is killed with `kill -9` at 0. D, the length of a lease, is %v. The next one leads after %.1f s. The "+
		"ensemble itself notices the crash after %.1f s, because the session timeout is %v. This is one failover, on servers of "+
		"`session/zktest` inside one process. `make picture` has measured and drawn it.",
		f.lease, f.after(f.elected), f.after(f.expired), f.timeout)
}

// after returns how many seconds after the kill something happened.
func (f *failover) after(at int64) float64 { return time.Duration(at - f.killed).Seconds() }

// A recorder notes what the ensemble commits and what the candidates tell.
type recorder struct {
	mu      sync.Mutex // guards what follows
	commits []commit
	lines   []history.Line
	changed chan struct{} // has a signal when there is more
}

type commit struct {
	at int64
	zktest.Commit
}

func (r *recorder) committed(c zktest.Commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits = append(r.commits, commit{history.Now(), c})
	r.signal()
}

func (r *recorder) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// read notes the lines of a candidate until it ends.
func (r *recorder) read(from io.Reader) {
	for in := bufio.NewScanner(from); in.Scan(); {
		var l history.Line
		if json.Unmarshal(in.Bytes(), &l) != nil {
			continue
		}
		r.mu.Lock()
		r.lines = append(r.lines, l)
		r.signal()
		r.mu.Unlock()
	}
}

// line waits for the latest line of a candidate about an event.
func (r *recorder) line(ctx context.Context, id, event string) (found history.Line, err error) {
	err = r.until(ctx, id+": "+event, func() bool {
		for _, l := range r.lines {
			if l.ID == id && l.Event == event {
				found = l
			}
		}
		return found.T != 0
	})
	return found, err
}

// until waits for what is noted.
func (r *recorder) until(ctx context.Context, what string, ok func() bool) error {
	for {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-r.changed:
		case <-ctx.Done():
			return fmt.Errorf("no %s: %w", what, ctx.Err())
		}
	}
}

// session returns the latest session of a candidate.
func (r *recorder) session(ctx context.Context, id string) (int64, error) {
	l, err := r.line(ctx, id, "session")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(l.Session, 0, 64)
	return int64(n), err
}

// beats returns when the heartbeat of a session was set.
func (r *recorder) beats(session int64) (at []int64) {
	heartbeat := fmt.Sprintf("/zkrecipe/beats/%x", uint64(session))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.commits {
		for _, change := range c.Changes {
			if c.Session == session && change.Op == zktest.OpSetData && change.Path == heartbeat {
				at = append(at, c.at)
			}
		}
	}
	return at
}

const leader, heir = "alice", "bob"

// measure runs a failover.
func measure(ctx context.Context, timeout, lease time.Duration) (*failover, error) {
	dir, err := os.MkdirTemp("", "picture")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "candidate")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/zkrecipe/zkrecipe/examples/candidate")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	r := &recorder{changed: make(chan struct{}, 1)}
	e, err := zktest.New(zktest.Config{Servers: 3, Tick: timeout / 10, OnCommit: r.committed, Logf: func(string, ...any) {}})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait() // each candidate is killed with ctx
	defer cancel()
	start := func(id string) (*os.Process, error) {
		cmd := exec.CommandContext(ctx, program, "-zk", e.ConnectString(), "-path", "/picture", "-id", id,
			"-timeout", timeout.String(), "-lease", lease.String())
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return nil, err
		}
		all.Go(func() {
			r.read(out)
			cmd.Wait() // killed
		})
		return cmd.Process, nil
	}
	process, err := start(leader)
	if err != nil {
		return nil, err
	}
	first, err := r.line(ctx, leader, "elected")
	if err != nil {
		return nil, err
	}
	if _, err := start(heir); err != nil {
		return nil, err
	}
	if _, err := r.line(ctx, heir, "heir"); err != nil {
		return nil, err
	}
	return r.crash(ctx, process, &failover{timeout: timeout, lease: lease, oldToken: first.Token})
}

// crash kills the leader in the middle between two beats and waits for all that follows.
func (r *recorder) crash(ctx context.Context, process *os.Process, f *failover) (*failover, error) {
	old, err := r.session(ctx, leader)
	if err != nil {
		return nil, err
	}
	next, err := r.session(ctx, heir)
	if err != nil {
		return nil, err
	}
	if err := clock.Sleep(ctx, clock.System, f.lease*5/4+f.lease/8); err != nil {
		return nil, err
	}
	f.killed = history.Now()
	if err := process.Kill(); err != nil {
		return nil, err
	}
	takeover, err := r.line(ctx, heir, "takeover")
	if err != nil {
		return nil, err
	}
	elected, err := r.line(ctx, heir, "elected")
	if err != nil {
		return nil, err
	}
	f.takeover, f.elected, f.newToken = takeover.T, elected.T, elected.Token
	last, err := r.line(ctx, leader, "beat")
	if err != nil {
		return nil, err
	}
	f.leaseEnd = last.Deadline
	err = r.until(ctx, "end of the leader's session", func() bool {
		for _, c := range r.commits {
			if c.Session == old && c.Op == zktest.OpCloseSession {
				f.expired = c.at
			}
		}
		return f.expired != 0
	})
	f.beats = [2][]int64{r.beats(old), r.beats(next)}
	return f, err
}
