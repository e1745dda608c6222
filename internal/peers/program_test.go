package peers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// program is a program of hosts, in a process of its own.
type program struct {
	t     *testing.T
	name  string
	in    io.WriteCloser
	lines chan string // what it prints
	done  <-chan error
}

// startJava starts a program of hosts with the release of Curator that k names.
func startJava(ctx context.Context, t *testing.T, k Kind, class string, args ...string) *program {
	t.Helper()
	argv, err := hosts.java(ctx, k, class, 128)
	must(t, err)
	return startProgram(ctx, t, class, append(argv, args...))
}

// startPython starts a program of hosts with the release of kazoo that k names.
func startPython(ctx context.Context, t *testing.T, k Kind, name string, args ...string) *program {
	t.Helper()
	argv, err := hosts.python(ctx, k, name)
	must(t, err)
	return startProgram(ctx, t, name, append(argv, args...))
}

// startProgram starts a program. It has to end when its input ends.
func startProgram(ctx context.Context, t *testing.T, name string, argv []string) *program {
	t.Helper()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	done := make(chan error, 1)
	p := &program{t: t, name: name, in: in, lines: make(chan string, 1000), done: done}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
		close(p.lines)
		done <- cmd.Wait()
	}()
	return p
}

// does gives the program a command, and waits until it prints that line and no other.
func (p *program) does(ctx context.Context, command, line string) {
	p.t.Helper()
	p.tell(command)
	p.says(ctx, line)
}

func (p *program) tell(command string) {
	p.t.Helper()
	_, err := fmt.Fprintln(p.in, command)
	must(p.t, err)
}

// says waits until the program has printed these lines, in any order, and no other.
func (p *program) says(ctx context.Context, all ...string) {
	p.t.Helper()
	for want := slices.Clone(all); len(want) > 0; {
		select {
		case line, ok := <-p.lines:
			i := slices.Index(want, line)
			if !ok || i < 0 {
				p.t.Fatalf("%s prints %q (ended: %v); want one of %q", p.name, line, !ok, want)
			}
			want = slices.Delete(want, i, i+1)
		case <-ctx.Done():
			p.t.Fatalf("%s does not print %q", p.name, want)
		}
	}
}

// end ends its input, and waits until the program has ended.
func (p *program) end() {
	p.t.Helper()
	must(p.t, p.in.Close())
	if err := <-p.done; err != nil {
		p.t.Error(err)
	}
}

// bothCurators runs a test with Debian's Curator and with the newest.
func bothCurators(t *testing.T, test func(ctx context.Context, t *testing.T, k Kind)) {
	for _, k := range []Kind{LeaderLatch, LeaderLatchNew} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t)
			need.That(t, func() error { return Available(ctx, k) })
			test(ctx, t, k)
		})
	}
}
