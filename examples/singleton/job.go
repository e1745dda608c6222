//go:build unix && !aix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// limits are until when a job may run: at Term it is sent SIGTERM, at Kill SIGKILL. Both are readings of now.
type limits struct{ Term, Kill time.Duration }

// now reads a clock that all processes of the machine share: CLOCK_BOOTTIME, which nobody sets and
// which goes on while the machine is suspended. On systems other than Linux it is the civil clock.
func now() time.Duration { return time.Duration(clock.Shared()) }

// An order goes from the supervisor to its guardian, as JSON over a pipe. The end of the
// pipe means that the supervisor is dead.
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

// end lets the guardian end the job within these limits. If it is still there then, it may be stopped
// itself, so we kill it, and bury kills what it leaves.
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
