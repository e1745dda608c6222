package model

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// A result is what a search has found.
type result struct {
	violation string // the assertion that failed; empty if the search came to its end without one
	trace     string // the steps that lead there
	states    int
	spent     time.Duration // by the processor
}

var (
	violated = regexp.MustCompile(`assertion violated +(.*)`)
	stored   = regexp.MustCompile(`(?m)^ *(\d+) states, stored`)
)

// search compiles a model and goes through all its states, or up to the first violation.
func search(t *testing.T, c configuration, define string) result {
	t.Helper()
	compiler := tools(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil { // spin writes beside its input
		t.Fatal(err)
	}
	defines := strings.Fields(c.sizes + " " + define)
	command(t, dir, "spin", append(defines, "-a", c.file)...)
	how := []string{compiler, "-O2"}
	if define != "" || !c.large && c != again { // to compile well would take longer than the search
		how = []string{fastCompiler(compiler), "-O0"}
	}
	if define != "" && c != lines {
		how = append(how, "-DBFS") // the violation is near, except where two lines have to reach it
	}
	// Every step writes variables that others read, so there is no partial order to reduce.
	command(t, dir, how[0], append(how[1:], "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c")...)
	out, spent := timed(t, dir, "./pan", "-m1000000")
	r := result{spent: spent}
	if m := stored.FindStringSubmatch(out); m != nil {
		r.states, _ = strconv.Atoi(m[1])
	}
	if m := violated.FindStringSubmatch(out); m != nil {
		r.violation = m[0]
		if define == "" {
			r.trace = trace(t, dir, c, defines)
		}
		return r
	}
	if !strings.Contains(out, "errors: 0") || strings.Contains(out, "too small") || strings.Contains(out, "not completed") {
		t.Fatalf("the search did not come to its end:\n%s", out)
	}
	return r
}

// trace looks for a shorter way to the violation and returns the lines of the model that are gone
// through.
func trace(t *testing.T, dir string, c configuration, defines []string) string {
	t.Helper()
	command(t, dir, "./pan", "-i", "-m1000")
	replay := command(t, dir, "spin", append(defines, "-t", "-p", c.file)...)
	lines := map[string][]string{}
	step := regexp.MustCompile(`proc +\d+ \((\w+):\d+\) (\S+):(\d+) \(state \d+\)\s+\[\(`)
	var b strings.Builder
	for _, m := range step.FindAllStringSubmatch(replay, -1) {
		file := m[2]
		if lines[file] == nil {
			text, _ := os.ReadFile(file)
			lines[file] = strings.Split(string(text), "\n")
		}
		n, _ := strconv.Atoi(m[3])
		if action, ok := strings.CutPrefix(strings.TrimSpace(lines[file][n-1]), ":: d_step { "); ok {
			fmt.Fprintf(&b, "%-8s %s\n", m[1], action)
		}
	}
	return b.String()
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, _ := timed(t, dir, name, args...)
	return out
}

func timed(t *testing.T, dir, name string, args ...string) (output string, spent time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// tools returns the C compiler. Without it, or without spin, nothing can be searched.
func tools(t *testing.T) (compiler string) {
	t.Helper()
	need.Program(t, "spin", "spin")
	return need.Program(t, cmp.Or(os.Getenv("CC"), "cc"), "gcc")
}

// fastCompiler returns tcc if it is installed. It compiles in a twentieth of the time of the other.
func fastCompiler(other string) string {
	if tcc, err := exec.LookPath("tcc"); err == nil {
		return tcc
	}
	return other
}
