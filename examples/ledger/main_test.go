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

func ledger(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	p := proc.Start(t, exe, args...)
	code, stderr := p.Exit(2 * time.Minute)
	return code, strings.Join(p.Lines(), "\n") + stderr
}

// patient are flags with which a busy machine loses no lease, and the next one works in time while
// the first stands still.
var patient = []string{"-timeout", "20s", "-lease", "5s"}

func TestTheMoneyIsKept(t *testing.T) {
	code, out := ledger(t, patient...)
	if code != 0 || !strings.Contains(out, "1 refused; there are 400, and were 400") || !strings.Contains(out, "alice  was refused") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestWithoutTheFenceItIsNot(t *testing.T) {
	code, out := ledger(t, append([]string{"-fence=false"}, patient...)...)
	if code != 1 || !strings.Contains(out, "money has appeared or disappeared") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-lease", "1h"}, {"more"}, {"-what"}} {
		if code, out := ledger(t, args...); code != 2 {
			t.Errorf("%q: exit code %d\n%s", args, code, out)
		}
	}
}
