package theirs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

const kazoo = "kazoo-2.11.0"

// recipes are the files of kazoo's tests that talk to servers and to nothing else.
var recipes = []string{"lock", "election", "barrier", "counter", "queue", "party", "partitioner", "lease", "watchers"}

// TestThoseOfKazoo fetches kazoo and pytest from PyPI, as pip is set up, and takes minutes: "make theirs".
func TestThoseOfKazoo(t *testing.T) {
	if os.Getenv("ZKRECIPE_THEIRS") == "" {
		t.Skip("SKIP: fetches kazoo and takes minutes; make theirs")
	}
	python := need.Program(t, "python3", "python3-venv")
	dir := t.TempDir()
	venv := filepath.Join(dir, "venv", "bin", "python")
	run(t, exec.Command(python, "-m", "venv", filepath.Join(dir, "venv")))
	run(t, exec.Command(venv, "-m", "pip", "install", "-q", "pytest", "pytest-timeout", "setuptools"))
	name, version, _ := strings.Cut(kazoo, "-")
	run(t, exec.Command(venv, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "-d", dir, name+"=="+version))
	run(t, exec.Command("tar", "-xzf", filepath.Join(dir, kazoo+".tar.gz"), "-C", dir))
	run(t, exec.Command("go", "build", "-o", filepath.Join(dir, "serve"), "./serve"))
	copyFile(t, filepath.Join("testdata", "conftest.py"), filepath.Join(dir, kazoo, "conftest.py"))

	args := []string{"-m", "pytest", "-q", "-p", "no:logging", "-o", "addopts=", "-o", "log_cli=false", "--timeout=120"}
	for _, name := range recipes {
		args = append(args, filepath.Join("kazoo", "tests", "test_"+name+".py"))
	}
	cmd := exec.Command(venv, args...)
	cmd.Dir = filepath.Join(dir, kazoo)
	cmd.Env = append(os.Environ(), "ZKTEST_SERVE="+filepath.Join(dir, "serve"), "ZOOKEEPER_VERSION=3.9.5")
	out, err := cmd.CombinedOutput()
	if !regexp.MustCompile(`(?m)^\d+ passed`).Match(out) || err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}
