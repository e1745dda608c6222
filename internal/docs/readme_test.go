package docs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A supervisor such as systemd starts a program again if it has failed, and does not if it was
// stopped.
func TestTheProgramOfTheReadmeFailsOnlyIfItCannotLead(t *testing.T) {
	notInShort(t)
	e := zktest.Start(t, zktest.Config{MaxSessionTimeout: time.Minute, Logf: func(string, ...any) {}})
	client, err := session.Open(e.ConnectString(), session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := client.Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for path, acl := range map[string][]zk.ACL{"/app": zk.WorldACL(zk.PermAll), "/app/billing": zk.DigestACL(zk.PermAll, "another", "secret")} {
		if err := s.EnsurePath(ctx, filepath.Dir(path), zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		if err := s.EnsureNode(ctx, path, nil, acl); err != nil {
			t.Fatal(err)
		}
	}
	program := buildReadme(t, e.ConnectString())

	var refused output
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = &refused
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("a program that is refused ends with %v; want exit code 1\n%s", err, refused.String())
	}

	if err := s.Delete(ctx, "/app/billing", -1); err != nil {
		t.Fatal(err)
	}
	var stopped output
	cmd = exec.CommandContext(ctx, program)
	cmd.Stderr = &stopped
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "work", func() bool { return strings.Contains(stopped.String(), "working") })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	lines := strings.Split(strings.TrimSpace(stopped.String()), "\n")
	if last := lines[len(lines)-1]; err != nil || !strings.Contains(last, "session over") {
		t.Errorf("a program that is stopped ends with %v and %q; want that of the closed session", err, last)
	}
}

// buildReadme builds the program of the README for another ensemble.
func buildReadme(t *testing.T, connect string) string {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllSubmatch(text, -1)
	i := slices.IndexFunc(blocks, func(block [][]byte) bool { return whole(block[1]) })
	if i < 0 {
		t.Fatal("there is no program")
	}
	block := string(blocks[i][1])
	code := strings.Replace(block, "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183", connect, 1)
	if code == block {
		t.Fatal("the program names other servers")
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// An output is what a program writes, read while it does.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
