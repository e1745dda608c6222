//go:build unix && !linux && !aix

package main

import (
	"os"
	"syscall"
	"time"
)

// now reads the civil clock: package syscall reaches no other that processes share.
func now() time.Duration { return time.Duration(time.Now().UnixNano()) }

// clocks are those that the job can read, too, besides that one.
var clocks map[string]func() time.Duration

// Here a job is its process group, and outlives a guardian that is killed.
func becomeSubreaper()                   {}
func dieWithParent(*syscall.SysProcAttr) {}
func childrenOf(int) []int               { return nil }

// self is this program's file.
func self() string {
	if exe, err := os.Executable(); err == nil {
		return exe
	}
	return os.Args[0]
}
