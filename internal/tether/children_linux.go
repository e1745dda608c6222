package tether

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Self is this program's file, for [exec.Command]. It is the same program even if a newer file has
// replaced it meanwhile.
const Self = "/proc/self/exe"

// Adopt makes orphans among this process's descendants its children. So none can escape by becoming
// a daemon. Linux before 3.4 cannot do that.
func Adopt() {
	const prSetChildSubreaper = 36 // prctl(2)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
}

// Children lists a process's children. It must be quick when the CPU is busy. So it looks at all
// processes only for our own children, and only on a kernel that was built without
// CONFIG_PROC_CHILDREN.
func Children(parent int) (pids []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(parent) + "/task/*/children") // the error is about the pattern
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread that is gone has no children
		for _, word := range bytes.Fields(text) {
			if pid, err := strconv.Atoi(string(word)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	if len(lists) > 0 || parent != os.Getpid() {
		return pids
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		// pid (name) state ppid ...; the name may hold anything.
		stat, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}
