//go:build linux

package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/proc"
)

func TestAShowThatNobodyReadsEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	proc.EndsUnread(t, exec.Command(exe), len(names), nil, os.Interrupt)
}
