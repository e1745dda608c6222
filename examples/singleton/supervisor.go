//go:build unix && !aix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/tether"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// supervisor stands for election and has a guardian run the job in its terms.
type supervisor struct {
	*options
	client   *session.Client
	election *election.Election
	signals  chan os.Signal
	last     bool // the present job, or the next one, is the last
}

// catch delivers the signals that are not left to themselves. What the program was told to ignore
// when it was started, as by nohup, stays ignored, for the job too.
func catch() chan os.Signal {
	caught := make(chan os.Signal, 16)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signal.Notify(caught, s)
		}
	}
	if !signal.Ignored(syscall.SIGPIPE) { // a write to a pipe that nobody holds must not kill us
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
	return caught
}

// run stands for election and runs the job in its terms, all in this goroutine, to which lead gives
// each term. It returns the exit code.
func (s *supervisor) run() int {
	tether.Adopt()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	terms, ended, left := make(chan *election.Term), make(chan error), make(chan error, 1)
	lead := func(ctx context.Context, term *election.Term) error {
		select {
		case terms <- term:
			return <-ended
		case <-ctx.Done(): // a signal came first
			return context.Cause(ctx)
		}
	}
	go func() { left <- errors.Join(s.election.Run(ctx, lead), s.client.Close()) }()
	for {
		select {
		case term := <-terms:
			code := s.runJob(term)
			if s.last {
				ended <- election.ErrStop
				return awaitLeft(left, code)
			}
			ended <- fmt.Errorf("the job has ended with exit code %d", code)
		case sig := <-s.signals: // there is no job to pass it on to
			if ends(sig) || sig == syscall.SIGHUP {
				signal.Stop(s.signals) // another one ends the program at once
				leave()
				return awaitLeft(left, codeSignal+int(sig.(syscall.Signal)))
			}
		case err := <-left: // refused: nothing else ends it
			return complain(codeFailed, err)
		}
	}
}

// ends reports whether a signal asks for the end of a program.
func ends(sig os.Signal) bool {
	return sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGQUIT
}

// awaitLeft waits until the candidate has left the line, but not for long: what is not deleted by
// then goes when the session expires. It returns the exit code.
func awaitLeft(left <-chan error, code int) int {
	const within = 4 * time.Second
	select {
	case <-left:
		return code
	case <-time.After(within):
		return complain(code, fmt.Errorf("the ensemble has not answered for %v; the session will expire", within))
	}
}

// runJob runs the job during one term and returns the exit code. Nothing of the job is left then.
func (s *supervisor) runJob(term *election.Term) int {
	j, err := startJob(s.command, s.environment(term), s.limits(term))
	if err != nil {
		return complain(codeFailed, fmt.Errorf("cannot supervise the job: %w", err))
	}
	s.follow(term, j)
	code, over := j.bury(), term.Context().Err() != nil
	switch {
	case over && (code == codeLost || code == codeKilled):
		return complain(codeLost, fmt.Errorf("%w: the job was ended", context.Cause(term.Context())))
	case code == codeKilled:
		return complain(codeFailed, errors.New("the guardian was killed, and the job with it"))
	}
	return code
}

// follow hands signals and each extension of the lease on until the job or the term has ended.
func (s *supervisor) follow(term *election.Term, j *job) {
	ticker := time.NewTicker(s.Session.Lease / 32) // the lease is extended every D/4
	defer ticker.Stop()
	for {
		select {
		case <-j.done:
			return
		case sig := <-s.signals:
			s.last = s.last || ends(sig)
			j.order(s.limits(term), sig.(syscall.Signal))
		case <-ticker.C:
			j.order(s.limits(term), 0)
		case <-term.Context().Done():
			l := s.limits(term) // passed if another may lead already: nothing remains then
			l.Term = 0          // even if the lease is extended once more
			j.end(l)
			return
		}
	}
}

// killRoom is how long before the lease's end SIGKILL is sent: the time for the kernel to carry it
// out, and for the guardian and this process to be late.
func killRoom(lease time.Duration) time.Duration { return lease / 16 }

// stopBefore is how long before the lease's end SIGTERM is sent. The library wants at most a
// quarter of the lease; -grace is checked to fit in.
func (p *options) stopBefore() time.Duration { return p.grace + killRoom(p.Session.Lease) }

// limits are those of the job as the lease is now. It is shorter than asked for where a server has
// granted a shorter session timeout.
func (s *supervisor) limits(term *election.Term) limits {
	lease := s.client.Status().LeaseTime
	begun := now() // read first: should we be paused here, the limits come out too early
	end := begun + term.Remaining()
	return limits{Term: end - min(s.stopBefore(), lease/4), Kill: end - killRoom(lease)}
}

// environment is what the job learns about the term.
func (s *supervisor) environment(term *election.Term) []string {
	monotonic, boottime := time.Duration(history.Now()), now() // read before what remains of the lease
	remaining := term.Remaining()
	return append(os.Environ(),
		fmt.Sprintf("ZKRECIPE_TOKEN=%d", term.Token()),
		"ZKRECIPE_DEADLINE="+term.Deadline().UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		fmt.Sprintf("ZKRECIPE_DEADLINE_MONOTONIC=%d", monotonic+remaining),
		fmt.Sprintf("ZKRECIPE_DEADLINE_BOOTTIME=%d", boottime+remaining),
		"ZKRECIPE_PATH="+s.Path, "ZKRECIPE_ID="+s.id)
}

// limits are until when a job may run: at Term it is sent SIGTERM, at Kill SIGKILL. Both are
// readings of now.
type limits struct{ Term, Kill time.Duration }

// now reads a clock that all processes of the machine share: CLOCK_BOOTTIME, which nobody sets and
// which goes on while the machine is suspended. On systems other than Linux it is the wall clock.
func now() time.Duration { return time.Duration(clock.Shared()) }

// An order goes from the supervisor to its guardian, as JSON over a pipe. The end of the pipe means
// that the supervisor is dead.
type order struct {
	limits                // from now on
	Signal syscall.Signal // to be passed on to the job, unless it is 0
}

// job is the supervisor's end of a guardian, and through that of the job.
type job struct {
	cmd    *exec.Cmd // the guardian's
	orders *os.File
	spared map[int]bool  // children of this process that are none of the job's
	done   chan struct{} // closed when the guardian is gone
}

// startJob starts a guardian, which starts the command within the limits.
func startJob(command, env []string, l limits) (*job, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	j := &job{orders: write, spared: map[int]bool{}, done: make(chan struct{})}
	for _, pid := range tether.Children(os.Getpid()) {
		j.spared[pid] = true // a shell had started them before it became this program
	}
	j.cmd = &exec.Cmd{
		Path: tether.Self, Args: append([]string{guardianName}, command...), Env: env,
		Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{read},
		// Ctrl-C and Ctrl-Z at the terminal are for the supervisor alone.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	// A background process group that reads from its terminal is stopped.
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice == 0 {
		j.cmd.Stdin = os.Stdin
	}
	if err := j.cmd.Start(); err != nil {
		write.Close()
		return nil, err
	}
	j.order(l, 0)
	go func() {
		defer close(j.done)
		_ = j.cmd.Wait() // what it says is in ProcessState
	}()
	return j, nil
}

// order sets new limits, and passes a signal on unless it is 0. A guardian that is gone has done
// what could be ordered; one that has been stopped for so long that the pipe is full is killed.
func (j *job) order(l limits, s syscall.Signal) {
	_ = j.orders.SetWriteDeadline(time.Now().Add(max(l.Kill-now(), time.Millisecond)))
	if err := json.NewEncoder(j.orders).Encode(order{l, s}); os.IsTimeout(err) {
		_ = j.cmd.Process.Kill()
	}
}

// end lets the guardian end the job within these limits. If it is still there then, it may be
// stopped itself, so we kill it, and bury kills what it leaves.
func (j *job) end(l limits) {
	j.order(l, 0)
	select {
	case <-j.done:
	case <-time.After(l.Kill - now()):
		_ = j.cmd.Process.Kill() // fails when it is gone
	}
}

// bury waits for the guardian, kills what it may have left behind, and returns its exit code.
func (j *job) bury() (code int) {
	<-j.done
	j.orders.Close()
	code = j.cmd.ProcessState.ExitCode()
	if code == codeKilled {
		sweep(0, j.spared)
	}
	return code
}
