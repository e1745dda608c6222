//go:build linux

package campaign

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// built is the directory of the programs; "" until a test has needed them.
var built string

// programs builds the campaign, its candidate and its contender once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "campaign-test-"); err != nil {
		return "", err
	}
	built = dir
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"github.com/zkrecipe/zkrecipe/internal/campaign/cmd/campaign",
		"github.com/zkrecipe/zkrecipe/examples/candidate", "github.com/zkrecipe/zkrecipe/examples/contender").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return dir, err
})

func TestMain(m *testing.M) {
	m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
}

// program prepares a campaign as a process, or skips the test where none can be held.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	need.That(t, Available)
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-candidate", filepath.Join(dir, "candidate"), "-contender", filepath.Join(dir, "contender"), "-keep", filepath.Join(os.TempDir(), "campaign-failures")}, args...)
	cmd := exec.Command(filepath.Join(dir, "campaign"), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	return cmd
}

func TestEveryFaultOnRealEnsembles(t *testing.T) {
	cmd := program(t, "-short", "-rounds", "1", "-rigs", "3")
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, notable(log.String()))
	}
	t.Logf("%s", out.String())
	for _, f := range Faults {
		if has := strings.Contains(out.String(), f.Name); has == f.Slow {
			t.Errorf("%s is in the table: %v", f.Name, has)
		}
	}
	nothingLeft(t, cmd)
}

// notable leaves out the rounds in which all was well: where long output is cut, the others must
// not be lost.
func notable(log string) (lines string) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, ", 0 violations") {
			lines += line
		}
	}
	return lines
}

// A campaign is of use only if it fails with a library that does what others do: to lead as long as
// the connection is not lost, although the server has lost the quorum.
func TestALibraryThatTrustsItsConnectionIsCaught(t *testing.T) {
	kept := isCaught(t, "testdata/trusts-the-connection.txt", history.Overlap, "candidate", "-rounds", "2", "-faults", "^1a")
	if histories, _ := filepath.Glob(filepath.Join(kept, "*", "history.jsonl")); len(histories) == 0 {
		t.Error("no history was kept")
	}
}

// isCaught holds campaigns with the broken candidate or contender of a variant's file, and demands
// that one of them finds a violation of that kind. One alone may find none: on a busy machine a
// successor is as late as if it had waited.
func isCaught(t *testing.T, file, kind, name string, args ...string) (kept string) {
	t.Helper()
	need.That(t, Available)
	v, err := variant.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	kept = t.TempDir()
	exe := filepath.Join(t.TempDir(), name)
	v.Build(t, "../..", "build", "-o", exe, "github.com/zkrecipe/zkrecipe/examples/"+name)
	for seed := range 5 {
		cmd := program(t, append([]string{"-rigs", "1", "-" + name, exe, "-keep", kept, "-seed", fmt.Sprint(1 + 100*seed)}, args...)...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() == 1 && bytes.Contains(out, []byte("VIOLATION "+kind)) {
			return kept
		}
		t.Logf("exit code %d:\n%s", cmd.ProcessState.ExitCode(), out)
	}
	t.Errorf("no campaign has found a violation of the kind %q", kind)
	return kept
}

// started runs a campaign until its first round is over.
func started(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(log)
	first, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(first, "0 violations") {
		rest, _ := io.ReadAll(lines)
		t.Fatalf("the campaign says %q, %v\n%s", first, err, rest)
	}
	go io.Copy(io.Discard, lines) // ends with the process, whose Wait closes the pipe
}

func TestABrokenOffCampaignLeavesNothing(t *testing.T) {
	cmd := program(t, "-rigs", "1", "-rounds", "1000", "-faults", "^5")
	started(t, cmd)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("it ended with %v; want exit code 2", err)
	}
	nothingLeft(t, cmd)
}

func TestTheNextCampaignRemovesWhatAKilledOneLeft(t *testing.T) {
	cmd := program(t, "-rigs", "1", "-rounds", "1000", "-faults", "^5")
	started(t, cmd)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	noProcesses(t, cmd) // the kernel kills them all
	if len(left(t, cmd)) == 0 {
		t.Fatal("the directory is gone: kill -9 was not in time, or somebody removed it")
	}
	next := program(t, "-faults", "^nothing is called so$")
	next.Env = cmd.Env
	if err := next.Run(); next.ProcessState.ExitCode() != 2 {
		t.Errorf("it ended with %v; want exit code 2", err)
	}
	nothingLeft(t, cmd)
}

func tempDir(cmd *exec.Cmd) string {
	return strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "TMPDIR=")
}

func left(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(tempDir(cmd), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func nothingLeft(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	noProcesses(t, cmd)
	if dirs := left(t, cmd); len(dirs) > 0 {
		t.Errorf("left behind: %v", dirs)
	}
}

// noProcesses waits until no process is left whose environment or arguments name the directory of
// the campaign. Namespaces and interfaces have gone with the last of them.
func noProcesses(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	found := ""
	await.Until(t, "end of all processes", func() bool {
		found = ""
		procs, _ := filepath.Glob("/proc/[0-9]*")
		for _, p := range procs {
			args, _ := os.ReadFile(filepath.Join(p, "cmdline"))
			env, _ := os.ReadFile(filepath.Join(p, "environ"))
			if bytes.Contains(args, []byte(tempDir(cmd))) || bytes.Contains(env, []byte(tempDir(cmd))) {
				found = p + " " + string(args)
			}
		}
		return found == ""
	}, func() any { return found })
}

func TestTheTableShowsWhatTheRoundsHaveShown(t *testing.T) {
	ms := time.Millisecond
	var table Table
	w := table.row(Fault{Name: "9 test", Within: withinOne})
	for i := range 20 {
		rep := &history.Report{Changes: 1, Gaps: []time.Duration{time.Duration(i+1) * 100 * ms}}
		if i == 7 {
			rep.Overlap = 3 * ms
			rep.Violations = []history.Violation{{Kind: history.Overlap}, {Kind: history.TokenTwice}, {Kind: history.Leftover}}
		}
		r := &Round{lease: time.Second, after: []time.Duration{time.Duration(i+1) * 50 * ms}}
		r.notes.count("kept leading", i%2 == 0)
		w.add(rep, r)
	}
	var out strings.Builder
	table.Write(&out)
	want := "9 test                       20      20     3.0      1    1      3  1000 / 1900 / 2000    0.50 / 0.95 / 1.00 1.35        kept leading 10/20"
	if !strings.Contains(out.String(), want) || table.Violations() != 3 || table.Rounds() != 20 {
		t.Errorf("%d violations in %d rounds:\n%s\nwant\n%s", table.Violations(), table.Rounds(), out.String(), want)
	}
}
