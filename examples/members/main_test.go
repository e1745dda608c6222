package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestTheDemonstrationShowsWhoIsThere(t *testing.T) {
	var stdout, stderr bytes.Buffer
	// Long times hold on a busy machine.
	if code := run([]string{"-timeout", "10s", "-lease", "4s"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, &stderr, &stdout)
	}
	out := stdout.String()
	for _, want := range []string{
		`3: alice \(idle\), bob \(idle\), carol \(idle\)`,
		`~bob +3: alice \(idle\), bob \(job 17\), carol \(idle\)`,
		`-carol +2:`,
		`\+alice -alice +2: bob \(job 17\), alice \(idle\)`,
		`bob stops after .*lease expired`,
		`-bob +1: alice`,
		`the others saw it gone`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no line like %s in\n%s", want, out)
		}
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"-id", "a"}, {"-timeout", "1ms"}, {"-nonsense"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != 2 || !strings.HasPrefix(stderr.String(), "members: ") {
			t.Errorf("%v: exit code %d, %s", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stderr.String(), "-path") {
		t.Errorf("-help: exit code %d, %s", code, &stderr)
	}
}
