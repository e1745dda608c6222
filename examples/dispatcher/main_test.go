package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAllJobsAreWorkedAtThoughProcessesDie(t *testing.T) {
	var stdout, stderr bytes.Buffer
	// Long times hold on a busy machine.
	if code := run([]string{"-timeout", "6s", "-lease", "2s", "-jobs", "8"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, &stderr, &stdout)
	}
	for _, want := range []string{"by 3 workers", "by 4 workers", "is cut off", "which hands out the jobs", "by 2 workers"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"-jobs", "1"}, {"-timeout", "1ms"}, {"-nonsense"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != 2 || !strings.HasPrefix(stderr.String(), "dispatcher: ") {
			t.Errorf("%v: exit code %d, %s", args, code, &stderr)
		}
	}
}
