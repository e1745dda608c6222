//go:build !linux

package ensemble

import (
	"errors"
	"os/exec"
)

func killProcess(cmd *exec.Cmd) error   { return cmd.Process.Kill() }
func freezeProcess(cmd *exec.Cmd) error { return errors.ErrUnsupported }
func thawProcess(cmd *exec.Cmd) error   { return errors.ErrUnsupported }
