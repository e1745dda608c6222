//go:build !linux

package clock

// boottime says that there is no clock that runs through suspension.
func boottime() (int64, bool) { return 0, false }
