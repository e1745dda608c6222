package proc

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// Unread returns the end of a full pipe that nobody reads.
func Unread(t *testing.T) *os.File {
	t.Helper()
	const getPipeSize = 1032 // F_GETPIPE_SZ of fcntl(2)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), getPipeSize, 0)
	if _, err := w.Write(make([]byte, size)); errno != 0 || err != nil {
		t.Fatal(errno, err)
	}
	return w
}

// EndsUnread starts a program of which nobody reads stdout and stderr. When it has n children, and
// they are ready, it is sent a signal. By that it has to end, and they with it. ready may be nil.
func EndsUnread(t *testing.T, cmd *exec.Cmd, n int, ready func(children []int) bool, end os.Signal) {
	t.Helper()
	lookAtSources()
	cmd.Stdout, cmd.Stderr = Unread(t), Unread(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	var children []int
	await.Until(t, fmt.Sprintf("%d children that are ready", n), func() bool {
		children = tether.Children(cmd.Process.Pid)
		return len(children) == n && (ready == nil || ready(children))
	})
	if err := cmd.Process.Signal(end); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(await.Bound):
		t.Errorf("it is still running after %v", await.Bound)
	}
	for _, pid := range children {
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // if the test fails
		await.Until(t, "end of a child", func() bool {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing once it is dead
			return len(line) == 0
		})
	}
}
