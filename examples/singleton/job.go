//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// job is the supervisor's end of a guardian, and through that of the job.
type job struct {
	cmd    *exec.Cmd
	spared map[int]bool  // children of this process that are none of the job's
	done   chan struct{} // closed when the guardian is gone

	mu     sync.Mutex // guards what follows, and keeps orders apart; a write ends by kill
	orders *os.File
	kill   instant // when the guardian kills the job unless told otherwise
}

// startJob starts a guardian, which starts the command within the limits.
func startJob(command, env []string, l limits) (*job, error) {
	exe, err := self()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	j := &job{orders: write, done: make(chan struct{}), spared: map[int]bool{}}
	for _, pid := range childrenOf(os.Getpid()) {
		j.spared[pid] = true // a shell had started them before it became this program
	}
	j.cmd = &exec.Cmd{
		Path: exe, Args: append([]string{guardianName}, command...), Env: env,
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
	j.limit(l)
	go func() {
		defer close(j.done)
		_ = j.cmd.Wait() // what it says is in ProcessState
	}()
	return j, nil
}

// limit sets new limits for the job.
func (j *job) limit(l limits) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kill = l.Kill
	j.order(order{Limits: &l})
}

// signal passes a signal on to the job.
func (j *job) signal(s syscall.Signal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.order(order{Signal: s})
}

// order writes an order. The caller holds j.mu. A guardian that is gone has done what
// could be ordered; one that has been stopped for so long that the pipe is full is killed.
func (j *job) order(o order) {
	line, err := json.Marshal(o)
	if err != nil {
		panic("bug: " + err.Error())
	}
	_ = j.orders.SetWriteDeadline(time.Now().Add(max(j.kill.until(now()), time.Millisecond)))
	if _, err := j.orders.Write(append(line, '\n')); os.IsTimeout(err) {
		_ = j.cmd.Process.Kill()
	}
}

// end waits until nothing of the job is left. Its guardian sees to that by the limit set
// last; if it has not within room after that, it is stopped itself, say, and we do.
func (j *job) end(room time.Duration) {
	j.mu.Lock()
	kill := j.kill
	j.mu.Unlock()
	late := time.NewTimer(kill.add(room).until(now()))
	defer late.Stop()
	select {
	case <-j.done:
	case <-late.C:
		_ = j.cmd.Process.Kill() // fails when it is gone
	}
	j.bury()
}

// bury waits for the guardian and kills what it may have left behind.
func (j *job) bury() {
	<-j.done
	j.mu.Lock()
	j.orders.Close()
	j.mu.Unlock()
	if !j.cmd.ProcessState.Exited() {
		sweep(0, j.spared, func(int, syscall.WaitStatus) {})
	}
}

// code is the exit code; ok is false if the guardian has not come to tell it.
func (j *job) code() (code int, ok bool) {
	s := j.cmd.ProcessState
	return s.ExitCode(), s.Exited()
}
