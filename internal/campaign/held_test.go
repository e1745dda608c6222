//go:build linux

package campaign

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/internal/variant"
)

// A session that the ensemble ends early, with all that it holds, shows whether the next one waits for the lease.
func TestAnHeirThatDoesNotWaitForTheLeaseIsCaught(t *testing.T) {
	need.That(t, Available)
	v, err := variant.Read("testdata/waits-for-no-lease.txt")
	if err != nil {
		t.Fatal(err)
	}
	candidate := filepath.Join(t.TempDir(), "candidate")
	v.Build(t, "../..", "build", "-o", candidate, "github.com/zkrecipe/zkrecipe/examples/candidate")
	cmd := program(t, "-rigs", "1", "-rounds", "3", "-faults", "^7c", "-lease", "1s", "-candidate", candidate, "-keep", t.TempDir())
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !bytes.Contains(out, []byte("VIOLATION overlap")) {
		t.Errorf("exit code %d:\n%s", cmd.ProcessState.ExitCode(), out)
	}
}
