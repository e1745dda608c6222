//go:build unix

package child

import "syscall"

// CanPause says that processes can be stopped and continued here.
const CanPause = true

// Pause stops the process where it stands, like a machine that swaps or a virtual one that
// is moved, until Resume (SIGSTOP).
//
// Both fail only when the child is gone. Done tells that.
func (c *Child) Pause() { _ = c.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on (SIGCONT). It does nothing to others.
func (c *Child) Resume() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }
