//go:build !linux

package clock

// boottime says that there is no clock that runs while the host is suspended.
func boottime() (int64, bool) { return 0, false }
