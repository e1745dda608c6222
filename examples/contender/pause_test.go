//go:build unix

package main

import (
	"syscall"
	"testing"
)

// A process that was stopped notices it before it does anything else.
func TestAPausedHolderHasLostTheLock(t *testing.T) {
	e := servers(t)
	alice := start(t, e, "alice")
	first := alice.wait("acquired")
	bob := start(t, e, "bob")
	bob.wait("waiting")
	alice.Cmd.Process.Signal(syscall.SIGSTOP)
	second := bob.wait("acquired")
	bob.wait("beat")
	alice.Cmd.Process.Signal(syscall.SIGCONT)
	if l := alice.wait("lost"); l.Token != first.Token || l.Reason == "" {
		t.Errorf("lost: %+v", l)
	}
	if a, b := alice.spanOf(first.Token), bob.spanOf(second.Token); a.last >= b.first {
		t.Errorf("two held it at once: %+v, %+v", a, b)
	}
}
