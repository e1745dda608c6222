//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalSize returns the size of the terminal that f is; ok is false if f is none.
func terminalSize(f *os.File) (width, height int, ok bool) {
	var size struct{ rows, cols, x, y uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, 0, false
	}
	if size.cols == 0 || size.rows == 0 { // a terminal that does not know
		return 80, 24, true
	}
	return int(size.cols), int(size.rows), true
}
