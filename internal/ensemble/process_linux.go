package ensemble

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A server is the head of its own process group (tether sees to that), so that signals reach a
// wrapper's children, too.
func killProcess(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
func thawProcess(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT) }

// freezeProcess returns when all threads have stopped. The signal reaches one after the other, and
// the others go on answering until then.
func freezeProcess(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for begun := time.Now(); !stopped(cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			return fmt.Errorf("process %d has threads that do not stop", cmd.Process.Pid)
		}
	}
	return nil
}

// stopped reports whether all threads of a process have been stopped by a signal.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		_, state, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // the name before it may hold anything
		if err == nil && bytes.IndexAny(state, "TZX") != 0 {                           // stopped, or ended
			return false
		}
	}
	return true
}
