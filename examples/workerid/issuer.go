package main

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
)

// An id is made of the time in milliseconds, the number of its worker, and a counter.
const (
	numberBits  = 10
	counterBits = 12
	maxNumber   = 1 << numberBits
)

// differ is by how much the clocks of two workers may differ. Who gets a number issues nothing
// before the clock of its former holder says the same.
const differ = 10 * time.Millisecond

// issue issues ids until the slot is not ours any more. It is the part to copy: it asks Valid
// before each id.
func issue(ctx context.Context, permit *semaphore.Permit, use func(id int64)) (n int) {
	slot := permit.Slot()
	time.Sleep(differ)
	last, counter := int64(0), int64(0)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		for range 3 {
			now := max(time.Now().UnixMilli(), last) // a clock that is set back repeats nothing
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
		case <-permit.Context().Done():
			return n
		case <-ctx.Done():
			return n
		}
	}
}
