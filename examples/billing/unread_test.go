//go:build linux

package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/examples/internal/proc"
)

// It has said much when a leader is paused, also with the lock held that the end of the billers takes.
func TestARunThatNobodyReadsGoesOnAndEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	paused := func(billers []int) bool { return slices.ContainsFunc(billers, proc.Stopped) }
	proc.EndsUnread(t, exec.Command(exe, "-lease", "2s"), len(names), paused, os.Interrupt)
}
