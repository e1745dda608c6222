package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/child"
	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/proc"
)

var exe string

// dishonest is set in the environment of a test program that is to claim too much.
const dishonest = "SHARDS_TEST_DISHONEST"

// The test program is a process that leads shards, too, when a test here has called run.
func TestMain(m *testing.M) {
	if child.Is() {
		if os.Getenv(dishonest) != "" {
			runProcess(boasting)
		}
		runProcess(honest)
	}
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	ensemble.CloseShared()
	remove()
}

// boasting claims to have led for longer than the term.
func boasting(led *stretch, at int64) {
	honest(led, at)
	led.To += int64(time.Minute)
}

// hang guards against a program that does not end.
const hang = 4 * time.Minute

// spreads runs the program, and checks what it says.
func spreads(t *testing.T, args ...string) {
	t.Helper()
	p := proc.Start(t, exe, append([]string{"-lease", "2s"}, args...)...) // a busy machine loses shorter leases
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	next := 0
	for _, want := range []string{
		"4 processes start, each with a candidate for each of 24 shards",
		"each shard is led by the process that suits it best", "at most 7, at least 5, on average 6.0",
		"carol is killed (kill -9)", "7 shards have moved (3 to alice, 1 to bob, 3 to dave), 17 have not;",
		"at most 9, at least 7, on average 8.0",
		"carol is started again", "7 shards have moved (7 to carol), 17 have not;",
		"at most 7, at least 5, on average 6.0",
		"Two leaders of one shard at once: never (",
	} {
		next = 1 + p.Until(next, fmt.Sprintf("line with %q", want), func(line string) bool { return strings.Contains(line, want) })
	}
}

func TestShardsAreSpreadTakenOverAndGivenBack(t *testing.T) {
	t.Parallel()
	spreads(t)
}

func TestShardsAreSpreadOnARealEnsemble(t *testing.T) {
	t.Parallel()
	e := ensemble.Common(t)
	spreads(t, "-zk", e.ConnectString(), "-path", "/app/shards")
}

func TestTwoLeadersOfOneShardFailTheRun(t *testing.T) {
	t.Setenv(dishonest, "yes")
	p := newProgram()
	p.shards, p.processes = 6, 2
	err := p.Run(t.Context(), p.run)
	if err == nil || !strings.Contains(err.Error(), "two leaders of one shard at once") {
		t.Errorf("the run ends with %v; want that there were two leaders", err)
	}
}

// A process is paused for longer than its lease, and does not notice that. Its shards go to the
// others. When it goes on, it leads none of them until it gets them back.
func TestAMemberThatIsPausedLeadsNothingWhenItGoesOn(t *testing.T) {
	if !child.CanPause {
		t.Skip("processes cannot be paused here")
	}
	t.Parallel()
	p := newProgram()
	p.processes, p.Session.Lease = 3, 2*time.Second
	err := p.Run(t.Context(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, hang)
		defer cancel()
		s := newShow(p)
		s.Fail(s.lose(ctx, func(victim string) { s.Child(victim).Pause() },
			func(victim string) { s.Child(victim).Resume() }))
		return s.end()
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnInterruptedRunFails(t *testing.T) {
	t.Parallel()
	p := proc.Start(t, exe, "-processes", "2", "-shards", "4")
	p.Until(0, "a crash", func(line string) bool { return strings.Contains(line, "is killed") })
	p.Signal(os.Interrupt)
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, "interrupt") {
		t.Errorf("exit code %d, stderr %q; want 1 and why", code, stderr)
	}
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-timeout 10ms", "Timeout is 10ms; want"},
		{"-lease 10ms", "Lease is 10ms; want"},
		{"-shards 0", "-shards is 0; want"},
		{"-processes 21", "-processes is 21; want 2 to 20"},
		{"stray", `"stray"; want`},
	} {
		p := proc.Start(t, exe, strings.Fields(test.args)...)
		if code, stderr := p.Exit(hang); code != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and %q", test.args, code, stderr, test.want)
		}
	}
}
