// Package tether starts processes that do not outlive the one that started them, and finds what
// they have started. On systems other than Linux it only starts them: there they have to notice that
// their stdin has ended.
package tether

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Start is cmd.Start. The kernel kills the process when this one ends, in whatever way. It is
// the head of a process group of its own, so that a Ctrl-C at the terminal reaches this
// process alone, which then ends it in order, and a signal to the group reaches the children of
// a wrapper, too. What else cmd.SysProcAttr asks for is kept.
//
// What the kernel waits for is the end of the thread that has started the process; hence
// starter.
func Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	reply := make(chan error, 1)
	starter() <- func() { reply <- cmd.Start() }
	return <-reply
}

// starter returns the queue of one goroutine that keeps its thread. It is never stopped: its
// end is the process's end, which is what the started ones wait for.
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
