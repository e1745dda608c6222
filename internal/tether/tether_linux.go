// Package tether starts processes that do not outlive the one that started them, and finds what
// they have started. On systems other than Linux it only starts them: there they have to notice
// that their stdin has ended.
package tether

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Start is cmd.Start. The kernel kills the new process when this one ends in any way. The new
// process is the head of its own process group. So a Ctrl-C at the terminal reaches only this
// process, which then ends the new one in order. And a signal to the group also reaches the
// children of a wrapper. Other settings in cmd.SysProcAttr are kept.
//
// The kernel waits for the end of the thread that has started the process. That is why starter
// exists.
func Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	reply := make(chan error, 1)
	starter() <- func() { reply <- cmd.Start() }
	return <-reply
}

// starter returns the queue of one goroutine that keeps its thread. It is never stopped: the thread
// ends with this process, and then the kernel kills the started processes.
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
