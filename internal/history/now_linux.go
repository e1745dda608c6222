package history

import (
	"syscall"
	"time"
	"unsafe"
)

// clockMonotonic is CLOCK_MONOTONIC of clock_gettime(2).
const clockMonotonic = 1

// Now reads the clock of Line.T, CLOCK_MONOTONIC in nanoseconds. All processes of a machine read
// the same one. Package time reads it too but keeps its value to itself.
func Now() int64 {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return time.Now().UnixNano() // a filter forbids the call
	}
	return ts.Nano()
}
