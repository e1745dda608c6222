//go:build !linux

package tether

import "os/exec"

// Start is cmd.Start: nothing here kills the process when this one ends.
func Start(cmd *exec.Cmd) error { return cmd.Start() }
