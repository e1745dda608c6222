//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"os"
	"syscall"
	"time"
)

// haveClocks: package syscall does not reach a monotonic clock that processes share.
const haveClocks = false

// now reads the civil clock.
func now() instant {
	t := time.Now().UnixNano()
	return instant{t, t}
}

// Here a job is its process group, and outlives a guardian that is killed.
func becomeSubreaper()                   {}
func dieWithParent(*syscall.SysProcAttr) {}
func childrenOf(int) []int               { return nil }

func self() (string, error) { return os.Executable() }
