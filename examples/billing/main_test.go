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

// The test program is a biller, too, a timid one, when a test here has called run.
func TestMain(m *testing.M) {
	if child.Is() {
		runBiller(func(db *remote) books { return timid{db} })
	}
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	ensemble.CloseShared()
	remove()
}

// timid is a biller's database to which a stale charge is never sent.
type timid struct{ *remote }

func (t timid) Charge(ctx context.Context, token int64, it item) error {
	var paused bool
	err := t.ask(context.WithoutCancel(ctx), "/moment", attempt{item: it, By: t.by, Token: token}, &paused)
	if err != nil {
		return err
	}
	if paused {
		return errStale
	}
	return t.remote.Charge(ctx, token, it)
}

// hang guards against a program that does not end.
const hang = 4 * time.Minute

// proves runs the program, and checks what it says that it has proved.
func proves(t *testing.T, args ...string) {
	t.Helper()
	p := proc.Start(t, exe, append([]string{"-lease", "2s"}, args...)...) // a busy machine loses shorter leases
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	for _, want := range []string{
		"leads, with token", "is killed (kill -9) before it hears that", "is paused (SIGSTOP) as it is about to charge",
		"goes on (SIGCONT)", "is REFUSED: token", "after 2 crashes and 2 pauses of leaders",
		"charged twice: nobody; missed: nobody (24 subscriptions x 3 periods = 72 charges)",
		"stale charges attempted: 2; refused: all",
	} {
		p.Until(0, fmt.Sprintf("line with %q", want), func(line string) bool { return strings.Contains(line, want) })
	}
}

func TestEverySubscriptionIsChargedOnce(t *testing.T) {
	t.Parallel()
	proves(t)
}

func TestEverySubscriptionIsChargedOnceOnARealEnsemble(t *testing.T) {
	e := ensemble.Common(t)
	proves(t, "-zk", e.ConnectString(), "-path", "/app/billing")
}

func TestWithoutTheFenceTheLedgerShowsDoubleCharges(t *testing.T) {
	t.Parallel()
	p := proc.Start(t, exe, "-fence=false", "-lease", "2s")
	code, stderr := p.Exit(hang)
	if code != 1 || strings.Count(stderr, "was charged 2 times: by ") != 2 || !strings.Contains(stderr, "was not attempted and refused") {
		t.Errorf("exit code %d, stderr %q; want 1 and the two double charges", code, stderr)
	}
}

func TestARunWithoutItsStaleChargesFails(t *testing.T) {
	t.Parallel()
	p := newProgram()
	err := p.Run(t.Context(), p.run)
	if err == nil || strings.Count(err.Error(), "was not attempted and refused") != 2 || strings.Contains(err.Error(), "charged 2 times") {
		t.Errorf("the run ends with %v; want that two stale charges were not attempted, and no more", err)
	}
}

func TestAnInterruptedRunFails(t *testing.T) {
	t.Parallel()
	p := proc.Start(t, exe)
	p.Until(0, "a pause", func(line string) bool { return strings.Contains(line, "is paused") })
	p.Signal(os.Interrupt)
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, "interrupt") {
		t.Errorf("exit code %d, stderr %q; want 1 and why", code, stderr)
	}
}

func TestWithoutAnEnsembleItFailsAndSaysWhy(t *testing.T) {
	t.Parallel()
	p := proc.Start(t, exe, "-zk", "127.0.0.1:1")
	if code, stderr := p.Exit(hang); code != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("exit code %d, stderr %q; want 1 and what is wrong", code, stderr)
	}
}

func TestBadFlagsAreRefusedByName(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-timeout 10ms", "Timeout is 10ms; want"},
		{"-lease 10ms", "Lease is 10ms; want"},
		{"stray", `"stray"; want`},
		{"-fence=perhaps", `"perhaps"`},
	} {
		p := proc.Start(t, exe, strings.Fields(test.args)...)
		if code, stderr := p.Exit(hang); code != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and %q", test.args, code, stderr, test.want)
		}
	}
}
