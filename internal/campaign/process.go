//go:build linux

package campaign

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startProcess starts a child that the kernel kills when this process ends in any way, and that a Ctrl-C at the
// terminal does not reach. The kernel kills it when the thread that started it ends; hence starter.
func startProcess(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	reply := make(chan error)
	starter() <- func() { reply <- cmd.Start() }
	return <-reply
}

// starter returns the queue of one goroutine that keeps its thread. It is never stopped: its end is the
// process's end, which is what the children wait for.
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

// stopped waits until every thread of a process stands still after SIGSTOP, which takes effect only when each
// has come by the kernel.
func waitStopped(pid int) error {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if allStopped(pid) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not stop", pid)
}

func allStopped(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			continue // that thread has ended
		}
		// "pid (name) state ...": the name may hold anything, even ") ".
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return err == nil
}
