package candidate

import (
	"syscall"
	"time"
	"unsafe"
)

// clockMonotonic is CLOCK_MONOTONIC of clock_gettime(2).
const clockMonotonic = 1

// Monotonic reads CLOCK_MONOTONIC in nanoseconds. All processes of a machine read the
// same clock. Package time reads it too but keeps its value to itself.
func Monotonic() int64 {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return time.Now().UnixNano() // a filter forbids the call
	}
	return ts.Nano()
}
