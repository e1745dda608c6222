package child

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// start starts a child in a process group of its own, so that Ctrl-C reaches this
// program alone, which then ends its children in order. Should this program die, the
// kernel kills them; it does so when the thread that started them ends, hence starter.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	reply := make(chan error)
	starter() <- func() { reply <- cmd.Start() }
	return <-reply
}

// starter returns the queue of a goroutine that keeps its thread as long as the program
// runs: nobody stops it, and the program's end is what it is there for.
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
