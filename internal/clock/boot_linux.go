package clock

import (
	"syscall"
	"time"
	"unsafe"
)

// clockBoottime is CLOCK_BOOTTIME of clock_gettime(2): monotonic, and it runs
// through suspension.
const clockBoottime = 7

// bootNow reads CLOCK_BOOTTIME, or the wall clock on a kernel without it
// (before 2.6.39) or behind a filter that forbids the call.
func bootNow() int64 {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return time.Now().UnixNano()
	}
	return ts.Nano()
}
