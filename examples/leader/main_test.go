package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

var exe string

func TestMain(m *testing.M) {
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	ensemble.CloseShared()
	remove()
}

// hang guards against a program that does not end.
const hang = 3 * time.Minute

func hasAll(line string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}

// showsAll runs the program until it has taken the leadership away in each way, and checks what it
// says of that.
func showsAll(t *testing.T, args ...string) {
	t.Helper()
	p := proc.Start(t, exe, append([]string{"-lease", "2s"}, args...)...) // a busy machine loses shorter leases
	for _, want := range []string{"is deposed: resigned", "is started again", "woke up: its first Valid() was false"} {
		p.Until(0, want, func(line string) bool { return strings.Contains(line, want) })
	}
	p.Signal(os.Interrupt)
	code, stderr := p.Exit(hang)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	all := p.Lines()
	for _, want := range [][]string{
		{" LEADS with token "}, {" is heir"}, {" leads, token ", "lease "},
		{"is asked to resign"}, {"is deposed: resigned"},
		{"is killed (kill -9)"}, {"is started again"},
		{"is paused (SIGSTOP)"}, {"goes on (SIGCONT)"},
		{"  ", " resigned ", " then ", " led; nobody led for "},
		{"  ", " crashed ", " then ", " led; nobody led for "},
		{"  ", " paused ", " then ", " led; nobody led for "},
	} {
		p.Until(0, fmt.Sprintf("line with %q", want), func(line string) bool { return hasAll(line, want...) })
	}
	if last := all[len(all)-1]; !strings.HasPrefix(last, "Two leaders at once: never (terms: ") {
		t.Errorf("the last line is %q; want it to say that there were never two leaders", last)
	}
}

func TestItShowsEachEndOfALeadership(t *testing.T) { showsAll(t) }

func TestItRunsOnARealEnsemble(t *testing.T) {
	e := ensemble.Common(t)
	showsAll(t, "-zk", e.ConnectString(), "-path", "/show")
}

func TestForEndsItWithSuccess(t *testing.T) {
	p := proc.Start(t, exe, "-for", "10s") // long enough that somebody leads, also on a busy machine
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	p.Until(0, "a leader", func(line string) bool { return strings.Contains(line, "LEADS") })
}

func TestWithoutAnEnsembleItFailsAndSaysWhy(t *testing.T) {
	p := proc.Start(t, exe, "-zk", "127.0.0.1:1", "-timeout", "1s")
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("exit code %d, stderr %q; want 1 and what is wrong", code, stderr)
	}
}

func TestAChildThatFailsEndsTheShow(t *testing.T) {
	p := proc.Start(t, exe)
	p.Until(0, "a leader", func(line string) bool { return strings.Contains(line, "LEADS") })
	pids := tether.Children(p.Cmd.Process.Pid)
	if len(pids) != len(names) {
		t.Skipf("found the children %v; want %d of them: no /proc?", pids, len(names))
	}
	victim, err := os.FindProcess(pids[0])
	if err == nil {
		err = victim.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, "has ended by itself") {
		t.Errorf("exit code %d, stderr %q; want 1 and which one", code, stderr)
	}
}

func TestCandidatesDoNotOutliveTheShow(t *testing.T) {
	p := proc.Start(t, exe)
	p.Until(0, "a paused candidate", func(line string) bool { return strings.Contains(line, "is paused (SIGSTOP)") })
	pids := tether.Children(p.Cmd.Process.Pid)
	if len(pids) != len(names) {
		t.Skipf("found the children %v; want %d of them: no /proc?", pids, len(names))
	}
	p.Signal(os.Kill)
	p.Exit(hang)
	for _, pid := range pids {
		// Not our children: there is nothing to wait on, hence the polling.
		await.Until(t, fmt.Sprintf("end of candidate %d", pid), func() bool { return !alive(pid) })
	}
}

// alive reports whether a process runs; a dead one may still wait for its reaper.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-for -1s", "-for is -1s; want"},
		{"-timeout 10ms", "Timeout is 10ms; want"},
		{"-lease 10ms", "Lease is 10ms; want"},
		{"-lease 6s", "Lease is 6s; want 200ms to 5s, half of the session timeout"},
		{"-timeout soon", `"soon"`},
		{"stray", `"stray"; want`},
	} {
		p := proc.Start(t, exe, strings.Fields(test.args)...)
		if code, stderr := p.Exit(hang); code != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and %q", test.args, code, stderr, test.want)
		}
	}
}
