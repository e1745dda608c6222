package clock

import (
	"sync"
	"time"
)

// wall replaces a clock that runs while the host is suspended, if there is none.
var wall forward

// forward makes such a clock out of the wall clock. If the wall clock is set back, the difference
// is added from then on. Otherwise a wait, which has to be over by both clocks, would last longer.
// A suspension still shows as a step forward. If the wall clock is set forward, a lease ends early.
type forward struct {
	mu   sync.Mutex
	last Instant
	back int64 // by how much the wall clock was set back, all together
}

// jitter is the largest difference between the two clocks that is not added: they are read one
// after the other, so a difference up to this is no step.
const jitter = int64(10 * time.Millisecond)

func (f *forward) now(mono int64, wall time.Time) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	boot := wall.UnixNano() + f.back
	if behind := f.last.Boot + mono - f.last.Mono - boot; behind > 0 {
		if behind > jitter {
			f.back += behind
		}
		boot += behind
	}
	f.last = Instant{mono, boot}
	return boot
}
