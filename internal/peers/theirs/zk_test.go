package theirs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unlike are the tests of go-zookeeper/zk that fail on zktest, and why.
var unlike = map[string]string{}

func TestThoseOfGoZookeeper(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: half a minute, and -short is set")
	}
	dir := zkModule(t)
	failed, passed := results(t, dir, ".")
	if len(failed) > 0 { // alone they have the machine for themselves: some of them measure times
		failed, _ = results(t, dir, "^("+strings.Join(failed, "|")+")$")
	}
	for _, name := range failed {
		if unlike[name] == "" {
			t.Errorf("%s fails on zktest", name)
		}
	}
	for name, why := range unlike {
		if !slices.Contains(failed, name) {
			t.Errorf("%s does not fail on zktest, where: %s", name, why)
		}
	}
	t.Logf("%d pass, %d fail", passed, len(failed))
	if passed < 40 {
		t.Error("not all of them have run")
	}
}

// zkModule lays out the library with its tests, zktest, and a start of servers of ours.
func zkModule(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	from := output(t, exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-zookeeper/zk"))
	copyFiles(t, filepath.Join(from, "*.go"), dir, func(name string) bool { return name != "server_help_test.go" })
	copyFiles(t, filepath.Join("..", "..", "..", "session", "zktest", "*.go"), filepath.Join(dir, "zktest"), func(name string) bool {
		return !strings.HasSuffix(name, "_test.go")
	})
	copyFile(t, filepath.Join("testdata", "cluster.go.txt"), filepath.Join(dir, "cluster_help_test.go"))
	write(t, filepath.Join(dir, "go.mod"), []byte("module github.com/go-zookeeper/zk\n\ngo 1.25\n"))
	return dir
}

// results runs those tests of a module that match a pattern, and lists those that failed.
func results(t *testing.T, dir, pattern string) (failed []string, passed int) {
	t.Helper()
	cmd := exec.Command("go", "test", "-json", "-count=1", "-vet=off", "-timeout=5m", "-run", pattern, ".")
	cmd.Dir = dir
	out, err := cmd.Output()
	said := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		var ev struct{ Action, Test, Output string }
		if json.Unmarshal([]byte(line), &ev) != nil || strings.Contains(ev.Test, "/") {
			continue
		}
		switch {
		case ev.Action == "output":
			said[ev.Test] += ev.Output
		case ev.Test == "":
		case ev.Action == "pass":
			passed++
		case ev.Action == "fail":
			failed = append(failed, ev.Test)
			if unlike[ev.Test] == "" {
				t.Log(said[ev.Test])
			}
		}
	}
	if err != nil && len(failed) == 0 {
		t.Fatalf("go test: %v\n%s", err, said[""])
	}
	return failed, passed
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

func copyFiles(t *testing.T, glob, dir string, want func(name string) bool) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", glob, len(files), err)
	}
	for _, file := range files {
		if name := filepath.Base(file); want(name) {
			copyFile(t, file, filepath.Join(dir, name))
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, b)
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
