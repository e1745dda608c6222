package main

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/proc"
)

var exe string

func TestMain(m *testing.M) {
	var remove func()
	exe, remove = proc.Build()
	m.Run()
	remove()
}

// hang guards against a program that does not end.
const hang = 4 * time.Minute

func TestAllJobsAreWorkedAtThoughProcessesDie(t *testing.T) {
	// Long times hold on a busy machine.
	p := proc.Start(t, exe, "-timeout", "10s", "-lease", "4s", "-jobs", "8")
	if code, stderr := p.Exit(hang); code != 0 || stderr != "" {
		t.Fatalf("exit code %d, stderr %q; want 0 and none", code, stderr)
	}
	told := strings.Join(p.Lines(), "\n")
	for _, want := range []string{"by 3 workers", "by 4 workers", "is cut off", "which hands out the jobs", "by 2 workers"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range []string{"x", "-jobs 1", "-timeout 1ms", "-nonsense"} {
		p := proc.Start(t, exe, strings.Fields(args)...)
		if code, stderr := p.Exit(hang); code != 2 || stderr == "" {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and what is wrong", args, code, stderr)
		}
	}
}
