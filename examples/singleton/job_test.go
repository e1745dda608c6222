//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/proc"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestTheExitCodeIsTheJobs(t *testing.T) {
	e := three(t)
	for _, code := range []int{0, 7} {
		p := e.start(t, "", "beats=3 exit="+strconv.Itoa(code))
		if stderr := p.exits(code); stderr != "" {
			t.Errorf("stderr %q", stderr)
		}
	}
	if nodes := e.inLine(); len(nodes) != 0 {
		t.Errorf("znodes left: %+v; want none", nodes)
	}
}

func TestTheJobLearnsItsTerm(t *testing.T) {
	begun := lines.Now()
	p := three(t).start(t, "-id alice", "env beats=1")
	p.exits(0)
	env := map[string]string{}
	for _, line := range p.Lines() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	number := func(name string) int64 { n, _ := strconv.ParseInt(env[name], 10, 64); return n }
	deadline, err := time.Parse("2006-01-02T15:04:05.000Z", env["ZKRECIPE_DEADLINE"])
	if err != nil || time.Since(deadline) > hang {
		t.Errorf("deadline %v, %v", deadline, err)
	}
	mono := number("ZKRECIPE_DEADLINE_MONOTONIC")
	if first := p.beats()[0]; number("ZKRECIPE_TOKEN") <= 0 || mono < begun || mono > first.at+int64(D) ||
		number("ZKRECIPE_DEADLINE_BOOTTIME") <= 0 || env["ZKRECIPE_ID"] != "alice" || env["ZKRECIPE_PATH"] != "/test" {
		t.Errorf("the environment is %v", env)
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	e := three(t)
	p := e.start(t, "-restart", "")
	p.beating(0)
	p.Signal(syscall.SIGUSR1)
	n := p.Until(0, "signal", func(line string) bool { return line == "signal 10" })
	p.Signal(syscall.SIGHUP)
	n = p.Until(n, "signal", func(line string) bool { return line == "signal 1" })
	p.beating(n) // it goes on
	p.Signal(syscall.SIGTERM)
	p.exits(42) // in spite of -restart

	p = e.start(t, "", "")
	p.beating(0)
	p.Signal(os.Interrupt)
	p.exits(128 + 2) // the job has let it kill itself
}

func TestASignalEndsTheWaitInLine(t *testing.T) {
	e := three(t)
	leader := e.start(t, "", "")
	leader.beating(0)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		p := e.start(t, "-v", "")
		await.Until(t, "line of two", func() bool { return len(e.inLine()) == 2 })
		p.Signal(s)
		p.exits(128 + int(s))
		if n := len(e.inLine()); n != 1 || len(p.beats()) != 0 {
			t.Errorf("after %v: %d znodes, beats %v", s, n, p.beats())
		}
	}
	leader.Signal(syscall.SIGTERM)
	leader.exits(42)
}

func TestWithoutAnEnsembleItStillLeaves(t *testing.T) {
	p := proc.Start(t, exe, "-zk", "127.0.0.1:1", "-timeout", "500ms", "--", "true")
	p.Signal(syscall.SIGTERM)
	// The signal itself ends it, without a code, if it comes before it is caught.
	if code, stderr := p.Exit(hang); code != 128+15 && code != -1 {
		t.Errorf("exit code %d, stderr %q; want 143", code, stderr)
	}
}

func TestRestartEntersTheLineAgain(t *testing.T) {
	e := three(t)
	a := e.start(t, "-restart", "beats=5 exit=3")
	b := e.start(t, "-restart", "beats=5 exit=3")
	for _, p := range []*program{a, b} {
		seen := map[int64]bool{}
		p.Until(0, "second job", func(line string) bool {
			if b, ok := parseBeat(line); ok {
				seen[b.token] = true
			}
			return len(seen) >= 2
		})
	}
	for _, p := range []*program{a, b} {
		p.Signal(syscall.SIGTERM)
		if code, _ := p.Exit(hang); code != 42 && code != 3 && code != 143 { // in a job, at its end, in line
			t.Errorf("exit code %d", code)
		}
	}
	if err := inTurn(a, b); err != nil {
		t.Error(err)
	}
}

func TestWhatTheJobLeavesBehindIsKilled(t *testing.T) {
	e := three(t)
	a := e.start(t, "", "spawn beats=200")
	a.Until(0, "beat of the daemon", func(line string) bool { return strings.HasPrefix(line, "beat daemon ") })
	a.exits(0) // which the daemon's hold on stdout would delay
	if alive := last(a.beats(), 1<<62); alive >= e.firstDeleted(t) {
		t.Errorf("the daemon beat %v after the leadership was given away", time.Duration(alive-e.firstDeleted(t)))
	}
}

func TestAMissingCommandIsFoundBeforeTheElection(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"no-such-command-anywhere": 127, filepath.Join(dir, "missing"): 127, plain: 126} {
		p := proc.Start(t, exe, "-zk", "127.0.0.1:1", "--", name)
		if code, stderr := p.Exit(hang); code != want || !strings.Contains(stderr, name) {
			t.Errorf("%s: exit code %d, stderr %q; want %d and its name", name, code, stderr, want)
		}
	}
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for args, wants := range map[string][]string{
		"-zk a:1":                                 {"command", "want"},
		"-grace 3s -- true":                       {"-grace", "3s", "750ms", "4s", "want"},
		"-grace -1s -- true":                      {"-grace", "-1s", "want"},
		"-timeout 1ms -- true":                    {"Timeout", "1ms", "want"},
		"-lease 10ms -- true":                     {"Lease", "10ms", "want"},
		"-lease 8s -- true":                       {"Lease", "8s", "7.5s", "want"},
		"-lease 0 -- true":                        {"-lease", "0s", "want"},
		"-timeout soon -- true":                   {"-timeout", "soon"},
		"-zk a:1 -path rel -- true":               {`"rel"`},
		"-zk a:b:c -- true":                       {`"a:b:c"`, "want"},
		"-zk a:1 -auth kerberos:me:secret -- job": {"-auth", `"kerberos"`, "want"},
	} {
		p := proc.Start(t, exe, strings.Fields(args)...)
		code, stderr := p.Exit(hang)
		for _, want := range wants {
			if code != 2 || !strings.Contains(stderr, want) {
				t.Errorf("%s: exit code %d, stderr %q; want 2 and %q", args, code, stderr, want)
			}
		}
		if strings.Contains(stderr, "secret") {
			t.Errorf("the password is told: %q", stderr)
		}
	}
}

// Whose job it is when, a busy machine may change; that there are never two it may not.
func TestTheDemonstrationHandsTheJobOver(t *testing.T) {
	p := proc.Start(t, exe)
	var pids []int
	t.Cleanup(func() { endDemo(t, p, pids) })
	var on []string
	var newest int64
	for n := 0; ; n++ {
		var id string
		var token int64
		var pid int
		n = p.Until(n, "next job", func(line string) bool {
			_, job, _ := strings.Cut(line, "JOB STARTS ")
			k, _ := fmt.Sscanf(job, "on %s with token %d, as process %d", &id, &token, &pid)
			return k == 3 || strings.Contains(line, "alice gets SIGTERM")
		})
		if pid == 0 {
			break
		}
		if alive := jobsAmong(pids); len(alive) > 0 {
			t.Fatalf("the job starts on %s as process %d while %v are alive", id, pid, alive)
		}
		if token <= newest {
			t.Errorf("the job on %s has token %d, after one with %d", id, token, newest)
		}
		on, newest, pids = append(on, id), token, append(pids, pid)
	}
	if got := strings.Join(slices.Compact(on), " "); !strings.Contains(got, "alice bob alice") {
		t.Errorf("the job was on %s; want it handed from alice to bob and back", got)
	}
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	if alive := jobsAmong(pids); len(alive) > 0 {
		t.Errorf("%v have outlived the demonstration", alive)
	}
}

// jobsAmong returns which of these processes are jobs of a demonstration, and alive.
func jobsAmong(pids []int) (alive []int) {
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing once it is dead
		if strings.Contains(string(line), "JOB STARTS") {
			alive = append(alive, pid)
		}
	}
	return alive
}

// endDemo ends what a demonstration that failed has left: asked to, it ends its singletons, once no
// job holds their output any more.
func endDemo(t *testing.T, p *proc.Program, pids []int) {
	if !t.Failed() {
		return
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
	for _, pid := range jobsAmong(pids) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	p.Exit(hang)
}

func TestAUserOfTheServersHasTheJob(t *testing.T) {
	e := &ensemble{Ensemble: zktest.Start(t, zktest.Config{Servers: 3, Tick: T / 20, Users: map[string]string{"alice": "secret"}})}
	e.start(t, "-sasl digest:alice:secret", "beats=1 exit=7").exits(7)
	if stderr := e.start(t, "-sasl digest:alice:guess", "beats=1").exits(codeFailed); !strings.Contains(stderr, "credential rejected") || strings.Contains(stderr, "guess") {
		t.Errorf("with a wrong password: %s", stderr)
	}
}
