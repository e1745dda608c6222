package main

import (
	"context"
	"time"
)

// An id is made of the time in tenths of a second, the number of its worker, and a counter.
const (
	unit        = 100 * time.Millisecond
	numberBits  = 10
	counterBits = 12
)

// differ is by how much the clocks of two workers may differ. Who gets a number issues nothing
// before the clock of its former holder has come to the next tenth of a second.
const differ = 10 * time.Millisecond

// What the workers issue here: bursts of ids, with a rest between two.
const (
	burst = 10
	rest  = 20 * time.Millisecond
)

// slot is what issue needs of a semaphore.Slot.
type slot interface {
	Number() int
	Valid() bool
}

// issue issues ids until the slot is not ours any more, or ctx ends, which is derived from the
// permit's context. It is the part to copy:
//
//   - Valid is asked before each id. The context alone does not suffice: it ends by a timer, and a
//     process that was paused may go on issuing before that timer has fired.
//   - The time is read before Valid is asked. If the process is paused after the answer, it issues
//     an id of a time at which the slot was its own. Who has the slot now issues ids of later times.
func issue(ctx context.Context, slot slot, use func(id int64)) (n int) {
	time.Sleep(unit + differ)
	last, counter := int64(0), int64(0)
	tick := time.NewTicker(rest)
	defer tick.Stop()
	for {
		for range burst {
			now := max(time.Now().UnixMilli()/unit.Milliseconds(), last) // a clock that is set back repeats nothing
			if counter++; now != last {
				last, counter = now, 0
			}
			if counter >= 1<<counterBits {
				break
			}
			if !slot.Valid() {
				return n
			}
			use(now<<(numberBits+counterBits) | int64(slot.Number())<<counterBits | counter)
			n++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n
		}
	}
}

// timeOf returns the time that is in an id.
func timeOf(id int64) int64 { return id >> (numberBits + counterBits) }
