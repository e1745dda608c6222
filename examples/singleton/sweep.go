//go:build unix && !aix

package main

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// sweep kills a process group (unless it is 0) and all descendants of this process but the
// spared children, and returns when they are gone: orphans become children of ours (see
// tether.Adopt), so that nobody is missed in the end. The group's number is in use until
// its last member was reaped, and given to another group only much later, after all other numbers.
func sweep(group int, spared map[int]bool) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := group != 0 && !errors.Is(syscall.Kill(-group, syscall.SIGKILL), syscall.ESRCH)
		left = killChildren(os.Getpid(), spared) || left
		// A list of children may miss one that is being orphaned at this moment.
		_, childless := reap()
		if !left && (childless || len(spared) > 0) {
			return
		}
		time.Sleep(pause) // nobody tells when a group has become empty
	}
}

// killChildren kills the children of a process but the spared ones, and theirs. It reports whether there were any.
func killChildren(parent int, spared map[int]bool) (any bool) {
	for _, pid := range tether.Children(parent) {
		if !spared[pid] {
			any = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails for one who is gone or not ours to kill
			killChildren(pid, spared)
		}
	}
	return any
}

// reap collects all children that have ended, orphans of the job among them, and reports whether no child is left.
func reap() (ended map[int]syscall.WaitStatus, childless bool) {
	ended = map[int]syscall.WaitStatus{}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return ended, true // ECHILD
		case pid <= 0:
			return ended, false
		default:
			ended[pid] = status
		}
	}
}
