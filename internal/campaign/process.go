//go:build linux

package campaign

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// stopped waits until every thread of a process stands still after SIGSTOP, which takes effect for
// each thread only when it next enters the kernel.
func waitStopped(pid int) error {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if allStopped(pid) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not stop", pid)
}

func allStopped(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			continue // that thread has ended
		}
		// "pid (name) state ...": the name may hold anything, even ") ".
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return err == nil
}
