//go:build !linux

package main

import "os/exec"

// startProcess starts a child. Should this program die, its children die of a broken
// pipe when they write their next line.
func startProcess(cmd *exec.Cmd) error { return cmd.Start() }
