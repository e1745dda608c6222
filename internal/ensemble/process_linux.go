package ensemble

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// A server is the head of its own process group, so that signals reach a wrapper's children too, and a Ctrl-C at
// the terminal reaches the test first. Pdeathsig makes the kernel kill it when the thread that started it ends;
// hence starter, a thread that lives as long as the process.
func startProcess(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	reply := make(chan error, 1)
	starter() <- func() { reply <- cmd.Start() }
	return <-reply
}

// starter returns the queue of one goroutine that keeps its thread. It is never stopped: its end is the
// process's end, which is what the servers wait for.
var starter = sync.OnceValue(func() chan<- func() {
	queue := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range queue {
			f()
		}
	}()
	return queue
})

func killProcess(cmd *exec.Cmd) error   { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
func freezeProcess(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP) }
func thawProcess(cmd *exec.Cmd) error   { return syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT) }
