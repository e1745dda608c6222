//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/proc"
)

// It has said much when a leader is paused, also with the lock held that the end of the billers
// takes.
func TestARunThatNobodyReadsGoesOnAndEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	paused := func(billers []int) bool { return slices.ContainsFunc(billers, stopped) }
	proc.EndsUnread(t, exec.Command(exe, "-lease", "2s"), len(names), paused, os.Interrupt)
}

// stopped reports whether a process is stopped, as by SIGSTOP.
func stopped(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	state := stat[bytes.LastIndexByte(stat, ')')+1:] // pid (name) state ...; the name may hold anything
	return bytes.HasPrefix(state, []byte(" T"))
}
