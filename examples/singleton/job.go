//go:build unix && !aix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// limits are until when a job may run: at Term it is sent SIGTERM, at Kill SIGKILL. Both are
// readings of now, a clock that all processes of the machine share.
type limits struct{ Term, Kill time.Duration }

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
	kill   time.Duration // when the guardian kills the job unless told otherwise
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
	for _, pid := range childrenOf(os.Getpid()) {
		j.spared[pid] = true // a shell had started them before it became this program
	}
	j.cmd = &exec.Cmd{
		Path: self(), Args: append([]string{guardianName}, command...), Env: env,
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
	line, err := json.Marshal(order{l, s})
	if err != nil {
		panic("bug: " + err.Error())
	}
	j.kill = l.Kill
	_ = j.orders.SetWriteDeadline(time.Now().Add(max(j.kill-now(), time.Millisecond)))
	if _, err := j.orders.Write(append(line, '\n')); os.IsTimeout(err) {
		_ = j.cmd.Process.Kill()
	}
}

// end waits until the guardian has ended the job by the limits set last. If it has not within
// room after that, it is stopped itself, say, and we kill it.
func (j *job) end(room time.Duration) {
	select {
	case <-j.done:
	case <-time.After(j.kill + room - now()):
		_ = j.cmd.Process.Kill() // fails when it is gone
	}
}

// bury waits for the guardian and kills what it may have left behind.
func (j *job) bury() {
	<-j.done
	j.orders.Close()
	if !j.cmd.ProcessState.Exited() {
		sweep(0, j.spared)
	}
}
