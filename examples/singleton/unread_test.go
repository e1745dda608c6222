//go:build linux

package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// unread returns the end of a full pipe that nobody reads.
func unread(t *testing.T) *os.File {
	t.Helper()
	const getPipeSize = 1032 // F_GETPIPE_SZ of fcntl(2)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), getPipeSize, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return w
}

// broken returns the end of a pipe that nobody can read any more.
func broken(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// pipes are what stderr may be when nobody listens.
var pipes = map[string]func(*testing.T) *os.File{"full": unread, "broken": broken}

// The guardian has something to complain about: nobody extends the lease.
func TestAGuardianThatNobodyListensToKillsInTime(t *testing.T) {
	for name, pipe := range pipes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first := e.startTo(t, pipe(t), "", "spawn ignore")
				first.beating(0)
				second := e.start(t, "-restart", "")
				await.Until(t, "second znode", func() bool { return len(e.inLine()) == 2 })
				stopped := candidate.Monotonic()
				first.Signal(syscall.SIGSTOP)
				second.beating(0)
				first.Signal(syscall.SIGCONT)
				_, late := e.succeeds(first, codeLost, second)
				return cmp.Or(late, first.outlived(stopped))
			})
		})
	}
}

// The supervisor has something to say while the job runs, and at its end.
func TestASupervisorThatNobodyListensToKeepsAndEndsItsJob(t *testing.T) {
	for name, pipe := range pipes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first := e.startTo(t, pipe(t), "-v", "ignore")
				begun := candidate.Monotonic()
				first.Until(0, "beat after two leases", func(line string) bool {
					b, ok := parseBeat(line)
					return ok && b.at > begun+int64(2*D)
				})
				return e.freeze(first)
			})
		})
	}
}

// A demonstration that is interrupted ends its singletons, and one that is killed takes them along.
func TestADemonstrationThatNobodyReadsLeavesNothing(t *testing.T) {
	for name, end := range map[string]os.Signal{"interrupted": os.Interrupt, "killed": os.Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe)
			cmd.Stdout = unread(t)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var players []int
			await.Until(t, "second singleton", func() bool {
				players = tether.Children(cmd.Process.Pid)
				return len(players) == 2
			})
			if err := cmd.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended:
			case <-time.After(hang):
				_ = cmd.Process.Kill()
				t.Errorf("it is still running after %v", hang)
			}
			for _, pid := range players {
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // if the test fails
				await.Until(t, "end of a singleton", func() bool {
					line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing once it is dead
					return len(line) == 0
				})
			}
		})
	}
}
