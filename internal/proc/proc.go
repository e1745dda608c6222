// Package proc builds example programs and runs them in tests.
package proc

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// patience guards against hanging; nothing is measured by it.
const patience = 3 * time.Minute

// Build builds the program in the current directory for the tests of a package, to be called in
// TestMain. remove deletes it.
func Build() (exe string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	exe = filepath.Join(dir, "example")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v\n%s", err, out))
	}
	return exe, func() { os.RemoveAll(dir) }
}

// lookAtSources reads the directories of the module. The go command repeats an earlier result of a
// test when the test's binary and what it has read are the same. The binary need not hold what the
// program is made of.
var lookAtSources = sync.OnceFunc(func() {
	filepath.WalkDir("../..", func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
})

// Program is a program at work.
type Program struct {
	Cmd   *exec.Cmd
	Stdin io.WriteCloser
	t     *testing.T

	mu     sync.Mutex // guards what follows
	lines  []string
	more   notify.Change // at each line
	stderr bytes.Buffer  // the command's until done
	done   chan struct{} // closed when the process is gone and its last line is here
}

// Start starts a program, which is killed at the end of the test.
func Start(t *testing.T, exe string, args ...string) *Program {
	t.Helper()
	return StartCmd(t, exec.Command(exe, args...))
}

// StartCmd is Start for a command whose stderr may be set.
func StartCmd(t *testing.T, cmd *exec.Cmd) *Program {
	t.Helper()
	lookAtSources()
	p := &Program{Cmd: cmd, t: t, done: make(chan struct{})}
	if p.Cmd.Stderr == nil {
		p.Cmd.Stderr = &p.stderr
	}
	stdin, err := p.Cmd.StdinPipe()
	stdout, err2 := p.Cmd.StdoutPipe()
	if err := cmp.Or(err, err2); err != nil {
		t.Fatal(err)
	}
	p.Stdin = stdin
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stdout)
	t.Cleanup(func() {
		p.Cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			all := p.Lines()
			t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(cmd.Args[1:], " "), strings.Join(all[max(0, len(all)-80):], "\n"), &p.stderr)
		}
	})
	return p
}

// read collects the program's lines, and its end.
func (p *Program) read(stdout io.Reader) {
	defer close(p.done)
	for lines := bufio.NewScanner(stdout); lines.Scan(); p.more.Tell() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
	}
	p.Cmd.Wait()
}

// Lines returns what the program has written to stdout so far.
func (p *Program) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.lines) // nobody changes them
}

// Until waits for a line, from number from on, and returns its number.
func (p *Program) Until(from int, what string, ok func(line string) bool) int {
	p.t.Helper()
	guard := time.After(patience)
	for i, ended := from, false; ; {
		more := p.more.Next()
		for all := p.Lines(); i < len(all); i++ {
			if ok(all[i]) {
				return i
			}
		}
		if ended {
			p.t.Fatalf("the program ended without %s", what)
		}
		select {
		case <-more:
		case <-p.done:
			ended = true // but it may have told more
		case <-guard:
			p.t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// Send writes a line to stdin.
func (p *Program) Send(command string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.Stdin, command); err != nil {
		p.t.Fatal(err)
	}
}

// Signal sends a signal.
func (p *Program) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Exit waits at most so long for the program to end, and returns its exit code and what it has
// written to stderr.
func (p *Program) Exit(within time.Duration) (code int, stderr string) {
	p.t.Helper()
	select {
	case <-p.done:
		return p.Cmd.ProcessState.ExitCode(), p.stderr.String()
	case <-time.After(within):
		p.t.Fatalf("the program is still running after %v", within)
		return 0, ""
	}
}
