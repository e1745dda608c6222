package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"
)

// haveClocks: all processes read the same two clocks.
const haveClocks = true

// now reads CLOCK_MONOTONIC and CLOCK_BOOTTIME (clock_gettime(2)).
func now() instant { return instant{Mono: clock(1), Boot: clock(7)} }

func clock(id uintptr) int64 {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic("clock_gettime: " + errno.Error()) // without clocks no lease; nobody filters this call
	}
	return ts.Nano()
}

// becomeSubreaper makes orphans among our descendants our children: a job cannot get
// away by becoming a daemon. Without it (Linux before 3.4) there is the process group.
func becomeSubreaper() {
	const prSetChildSubreaper = 36 // prctl(2)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
}

// dieWithParent makes the kernel kill a child when its parent dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// self is this program's file, even if it was replaced by a newer one meanwhile.
func self() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	return os.Executable()
}

// childrenOf lists a process's children; none where /proc is not mounted. It must be quick
// when there is no CPU time to spare, so it looks at all processes only where a kernel built
// without CONFIG_PROC_CHILDREN leaves no choice, and only for our own children.
func childrenOf(parent int) (pids []int) {
	lists, err := filepath.Glob("/proc/" + strconv.Itoa(parent) + "/task/*/children")
	if err != nil {
		panic("bug: " + err.Error())
	}
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
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the error is about the pattern
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
