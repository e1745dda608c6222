package clock

import (
	"syscall"
	"unsafe"
)

// clockBoottime is CLOCK_BOOTTIME of clock_gettime(2). It is monotonic, and runs while the host is
// suspended.
const clockBoottime = 7

// boottime reads CLOCK_BOOTTIME. It returns false on a kernel before 2.6.39, or if a filter forbids
// the call.
func boottime() (int64, bool) {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano(), errno == 0
}
