package clock

import (
	"math/rand/v2"
	"time"
)

// System is the machine's own clock.
var System Clock = system{}

type system struct{}

// start is read when the program starts, outside every testing/synctest bubble.
var start = time.Now()

func (system) Now() Instant {
	mono := time.Since(start)
	if mono < 0 {
		// On the monotonic clock, no time can be before the program's start. So this is a
		// testing/synctest bubble, whose time begins in the year 2000. Its time is simulated, and
		// the machine's second clock does not show it.
		now := time.Now().UnixNano()
		return Instant{now, now}
	}
	boot, ok := boottime()
	if !ok {
		boot = wall.now(int64(mono), time.Now())
	}
	return Instant{int64(mono), boot}
}

// Shared reads a clock that all processes of the machine share, in nanoseconds. It is a clock that
// nobody sets and that runs while the host is suspended, if there is one, else the wall clock.
func Shared() int64 {
	if boot, ok := boottime(); ok {
		return boot
	}
	return time.Now().UnixNano()
}

func (system) Wall() time.Time { return time.Now() }

// AfterFunc makes no timer that is due at once. In a testing/synctest bubble, Go 1.26 runs such a
// timer in the goroutine that makes it. If two goroutines do so at the same time, they share data
// of the race detector for the timers of the bubble, and it crashes.
func (system) AfterFunc(d time.Duration, f func()) func() bool {
	if d <= 0 {
		go f()
		return func() bool { return false }
	}
	return time.AfterFunc(d, f).Stop
}

func (system) Random() float64 { return rand.Float64() }
