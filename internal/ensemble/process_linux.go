package ensemble

import (
	"os/exec"
	"syscall"
)

// A server is the head of its own process group (tether sees to that), so that signals reach a wrapper's
// children, too.
func killProcess(cmd *exec.Cmd) error   { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
func freezeProcess(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP) }
func thawProcess(cmd *exec.Cmd) error   { return syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT) }
