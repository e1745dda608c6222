//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/tether"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// pair starts a singleton that leads with a job of these words, and another behind it in line.
func (e *ensemble) pair(t *testing.T, words string) (first, second *program) {
	t.Helper()
	first = e.start(t, "", words)
	first.beating(0)
	second = e.start(t, "-restart", "")
	await.Until(t, "second znode", func() bool { return len(e.inLine()) == 2 })
	return first, second
}

// succeeds ends the second one when it has begun, and returns an error unless all of the first
// one's job was dead when its znode went, and hence when the second one's began.
func (e *ensemble) succeeds(first *program, code int, second *program) (stderr string, err error) {
	first.t.Helper()
	second.beating(0)
	second.Signal(syscall.SIGTERM)
	second.exits(42)
	stderr = first.exits(code) // and nothing of the job is left
	err = inTurn(first, second)
	if over := last(first.beats(), 1<<62) - e.firstDeleted(first.t); over >= 0 {
		err = errors.Join(err, fmt.Errorf("the job beat until %v after its leadership was over", time.Duration(over)))
	}
	return stderr, err
}

// The words of the jobs: one that ends at SIGTERM, one that ignores it, one that becomes a daemon.
var jobs = []string{"", "ignore", "spawn ignore"}

func TestAKilledSupervisorsJobIsDeadBeforeTheNextStarts(t *testing.T) {
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first, second := e.pair(t, words)
				first.Signal(os.Kill)
				_, err := e.succeeds(first, -1, second)
				return err
			})
		})
	}
}

// inTime runs a test whose job must end in time. On a busy machine a guardian may get no processor
// for a sixteenth of the lease, and then its job ends late. So a job may be late twice, but not
// three times. With -short the test is skipped.
func inTime(t *testing.T, try func() (late error)) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: it needs a processor in time, and -short is set")
	}
	for range 3 {
		late := try()
		if late == nil {
			return
		}
		t.Logf("this time %v", late)
	}
	t.Error("the job was late three times")
}

func TestAStoppedSupervisorsJobIsDeadBeforeTheLeaseIsOver(t *testing.T) {
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first, second := e.pair(t, words)
				stopped := lines.Now()
				first.Signal(syscall.SIGSTOP)
				second.beating(0)
				// Nobody tells that the time of two leases has passed.
				<-time.After(time.Duration(stopped + int64(2*D) - lines.Now()))
				first.Signal(syscall.SIGCONT)
				stderr, late := e.succeeds(first, codeLost, second)
				if !strings.Contains(stderr, "not held any more") {
					t.Errorf("stderr %q", stderr)
				}
				return cmp.Or(late, first.outlived(stopped))
			})
		})
	}
}

func TestALostLeaseEndsTheJobInTime(t *testing.T) {
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first := e.start(t, "", words)
				first.beating(0)
				late := e.freeze(first)
				asked := strings.Contains(strings.Join(first.Lines(), "\n"), "signal 15")
				if want := words == ""; asked != want {
					t.Errorf("the job was asked to stop: %v; want %v", asked, want)
				}
				return late
			})
		})
	}
}

func TestADeletedZnodeEndsTheJobAtOnce(t *testing.T) {
	e := three(t)
	first, second := e.pair(t, "ignore")
	var leader zktest.Node
	for _, n := range e.inLine() {
		if n.Stat.EphemeralOwner != 0 && (leader.Path == "" || n.Stat.Czxid < leader.Stat.Czxid) {
			leader = n
		}
	}
	e.ExpireSession(leader.Stat.EphemeralOwner) // which deletes it, and tells the supervisor
	first.exits(codeLost)
	second.beating(0)
	second.Signal(syscall.SIGTERM)
	second.exits(42)
}

func TestAKilledGuardianTakesTheJobWithIt(t *testing.T) {
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() error {
				e := three(t)
				first, second := e.pair(t, words)
				if err := syscall.Kill(guardianOf(t, first), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				stderr, late := e.succeeds(first, codeFailed, second)
				if !strings.Contains(stderr, "guardian") {
					t.Errorf("stderr %q", stderr)
				}
				return late
			})
		})
	}
}

func TestAKernelThatKillsBothKillsTheCommand(t *testing.T) {
	inTime(t, func() error {
		e := three(t)
		first, second := e.pair(t, "ignore")
		guardian := guardianOf(t, first)
		first.Signal(syscall.SIGSTOP) // so that it does not notice
		if err := syscall.Kill(guardian, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		first.Signal(os.Kill)
		_, late := e.succeeds(first, -1, second)
		return late
	})
}

// The lease is D in both cases: as asked for, and because servers do not grant the session timeout
// that was asked for.
func TestAStoppedGuardianDoesNotSaveTheJob(t *testing.T) {
	for _, c := range []struct {
		name, flags string
		granted     time.Duration
	}{{"as asked", "", T}, {"shorter", "-lease 10s", 2 * D}} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func() error {
				e := granting(t, c.granted)
				first := e.start(t, c.flags, "spawn ignore")
				first.beating(0)
				if err := syscall.Kill(guardianOf(t, first), syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				e.beat(t)
				return e.freeze(first)
			})
		})
	}
}

// guardianOf returns the process id of a singleton's guardian.
func guardianOf(t *testing.T, p *program) int {
	t.Helper()
	pids := tether.Children(p.Cmd.Process.Pid)
	if len(pids) != 1 {
		t.Fatalf("children %v; want one", pids)
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pids[0]) + "/cmdline")
	if err != nil || !strings.HasPrefix(string(line), guardianName+"\x00") {
		t.Fatalf("its command line is %q, %v", line, err)
	}
	return pids[0]
}
