package clock

import (
	"sync"
	"time"
)

// wall takes the place of a clock that runs through suspension where there is none.
var wall forward

// forward makes such a clock out of the wall clock. If that is set back, it goes on with the monotonic clock:
// otherwise a wait, which has to be over by both clocks, would last longer. If it is set forward, a lease ends early.
type forward struct {
	mu   sync.Mutex
	last Instant
}

func (f *forward) now(mono int64, wall time.Time) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = Instant{mono, max(wall.UnixNano(), f.last.Boot+mono-f.last.Mono)}
	return f.last.Boot
}
