//go:build linux

package main

import (
	"cmp"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/proc"
)

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
var pipes = map[string]func(*testing.T) *os.File{"full": proc.Unread, "broken": broken}

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
				stopped := lines.Now()
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
				begun := lines.Now()
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
			proc.EndsUnread(t, exec.Command(exe), 2, nil, end)
		})
	}
}
