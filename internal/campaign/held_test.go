//go:build linux

package campaign

import (
	"bytes"
	"path/filepath"
	"slices"
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

func TestStaleSessionsAreToldByTheirIDs(t *testing.T) {
	const dump = "SessionTracker dump:\nSession Sets (2)/(3):\n0 expire at Fri Nov 27 05:32:54 UTC 2026:\n" +
		"3 expire at Fri Nov 27 05:32:55 UTC 2026:\n\t0x100\n\t0x200\n\t0x300\n" +
		"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x400:\n\t/6/a\nConnections dump:\n\t0x500\n"
	if got, want := stale(dump, []string{"0x100", "0x300"}), []string{"0x200"}; !slices.Equal(got, want) {
		t.Errorf("stale: %q, want %q", got, want)
	}
}
