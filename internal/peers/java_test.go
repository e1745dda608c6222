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

// program is a program of hosts in Java, in a process of its own.
type program struct {
	t     *testing.T
	class string
	in    io.WriteCloser
	lines chan string // what it prints
	done  <-chan error
}

// startJava starts a program of hosts with the release of Curator that k names. The program has to
// end when its input ends.
func startJava(ctx context.Context, t *testing.T, k Kind, class string, args ...string) *program {
	t.Helper()
	jars, err := k.jars(ctx)
	must(t, err)
	dir := "debian"
	if _, fetched := k.recipe(); fetched {
		dir = "curator-" + curatorRelease
	}
	classpath, err := hosts.compile(ctx, class, dir, jars)
	must(t, err)
	cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-XX:-UsePerfData", "-cp", classpath, class}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	done := make(chan error, 1)
	p := &program{t: t, class: class, in: in, lines: make(chan string, 1000), done: done}
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
				p.t.Fatalf("%s prints %q (ended: %v); want one of %q", p.class, line, !ok, want)
			}
			want = slices.Delete(want, i, i+1)
		case <-ctx.Done():
			p.t.Fatalf("%s does not print %q", p.class, want)
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
