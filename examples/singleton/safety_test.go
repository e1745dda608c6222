//go:build linux

package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
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

// succeeds checks that all of the first one's job was dead when its znode went, and
// hence when the second one's began, and ends the second.
func (e *ensemble) succeeds(t *testing.T, first *program, code int, second *program) (stderr string) {
	t.Helper()
	second.beating(0)
	second.Signal(syscall.SIGTERM)
	second.exits(42)
	stderr = first.exits(code) // and nothing of the job is left
	inTurn(t, first, second)
	if over := last(first.beats(), 1<<62) - e.firstDeleted(t); over >= 0 {
		t.Errorf("the job beat until %v after its leadership was over", time.Duration(over))
	}
	return stderr
}

// The words of the jobs: one that ends at SIGTERM, one that ignores it, one that becomes a daemon.
var jobs = []string{"", "ignore", "spawn ignore"}

func TestAKilledSupervisorsJobIsDeadBeforeTheNextStarts(t *testing.T) {
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			e := three(t)
			first, second := e.pair(t, words)
			first.Signal(os.Kill)
			e.succeeds(t, first, -1, second)
		})
	}
}

// needsTime skips a test that asserts a deadline on the machine's clock, if -short is set. A guardian that gets no
// processor for a sixteenth of the lease is late, and beside other packages that can be.
func needsTime(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: it needs a processor in time, and -short is set")
	}
}

func TestAStoppedSupervisorsJobIsDeadBeforeTheLeaseIsOver(t *testing.T) {
	needsTime(t)
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			e := three(t)
			first, second := e.pair(t, words)
			stopped := candidate.Monotonic()
			first.Signal(syscall.SIGSTOP)
			second.beating(0)
			// Nobody tells that the time of two leases has passed.
			<-time.After(time.Duration(stopped + int64(2*D) - candidate.Monotonic()))
			first.Signal(syscall.SIGCONT)
			if stderr := e.succeeds(t, first, codeLost, second); !strings.Contains(stderr, "not held any more") {
				t.Errorf("stderr %q", stderr)
			}
			// No job may outlast the lease.
			if over := time.Duration(last(first.beats(), 1<<62) - stopped); over >= D {
				t.Errorf("the job beat until %v after the stop", over)
			}
		})
	}
}

func TestALostLeaseEndsTheJobInTime(t *testing.T) {
	needsTime(t)
	for _, words := range jobs {
		t.Run("job "+words, func(t *testing.T) {
			t.Parallel()
			e := three(t)
			first := e.start(t, "", words)
			first.beating(0)
			e.freeze(t, first)
			asked := strings.Contains(strings.Join(first.Lines(), "\n"), "signal 15")
			if want := words == ""; asked != want {
				t.Errorf("the job was asked to stop: %v; want %v", asked, want)
			}
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
			e := three(t)
			first, second := e.pair(t, words)
			if err := syscall.Kill(guardianOf(t, first), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if stderr := e.succeeds(t, first, codeFailed, second); !strings.Contains(stderr, "guardian") {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
}

func TestAKernelThatKillsBothKillsTheCommand(t *testing.T) {
	e := three(t)
	first, second := e.pair(t, "ignore")
	guardian := guardianOf(t, first)
	first.Signal(syscall.SIGSTOP) // so that it does not notice
	if err := syscall.Kill(guardian, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.Signal(os.Kill)
	e.succeeds(t, first, -1, second)
}

// The lease is D in both cases: as asked for, and because servers do not grant the session timeout that was asked for.
func TestAStoppedGuardianDoesNotSaveTheJob(t *testing.T) {
	needsTime(t)
	for _, c := range []struct {
		name, flags string
		granted     time.Duration
	}{{"as asked", "", T}, {"shorter", "-lease 10s", 2 * D}} {
		t.Run(c.name, func(t *testing.T) {
			e := granting(t, c.granted)
			first := e.start(t, c.flags, "spawn ignore")
			first.beating(0)
			if err := syscall.Kill(guardianOf(t, first), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			e.beat(t)
			e.freeze(t, first)
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
