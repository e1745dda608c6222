package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// becomeSubreaper makes orphans among our descendants our children: a job cannot get
// away by becoming a daemon. Without it (Linux before 3.4) there is the process group.
func becomeSubreaper() {
	const prSetChildSubreaper = 36 // prctl(2)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
}

// self is this program's file, even if it was replaced by a newer one meanwhile.
const self = "/proc/self/exe"

// childrenOf lists a process's children. It must be quick when there is no CPU time to spare, so it
// looks at all processes only where a kernel built without CONFIG_PROC_CHILDREN leaves no choice, and
// only for our own children.
func childrenOf(parent int) (pids []int) {
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
