//go:build !linux

package tether

import (
	"os"
	"os/exec"
)

// Self is this program's file, for [exec.Command].
var Self, _ = os.Executable()

// Start is cmd.Start: nothing here kills the process when this one ends.
func Start(cmd *exec.Cmd) error { return cmd.Start() }

// Adopt does nothing here.
func Adopt() {}

// Children finds none here.
func Children(int) []int { return nil }
