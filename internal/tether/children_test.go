//go:build linux

package tether

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// The orphan's parent is a shell that has ended when the test goes on.
func TestAnOrphanBecomesAChild(t *testing.T) {
	Adopt()
	cmd := exec.Command("sh", "-c", "sleep 60 >&- & echo $!")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	if pids := Children(os.Getpid()); !slices.Contains(pids, cmd.Process.Pid) {
		t.Errorf("children %v; want the shell %d among them", pids, cmd.Process.Pid)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	var orphan int
	if _, err := fmt.Sscan(lines.Text(), &orphan); err != nil {
		t.Fatalf("the shell says %q: %v", lines.Text(), err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if pids := Children(os.Getpid()); !slices.Equal(pids, []int{orphan}) {
		t.Errorf("children %v; want the orphan %d alone", pids, orphan)
	}
	if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := syscall.Wait4(orphan, nil, 0, nil); err != nil {
		t.Errorf("the orphan cannot be waited for: %v", err)
	}
}
