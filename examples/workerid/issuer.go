package main

import (
	"context"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/demo"
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

// work issues ids as long as there is a number, again and again until ctx ends.
func (w *worker) work(ctx context.Context, sem *semaphore.Semaphore) {
	for ctx.Err() == nil {
		permit, err := sem.Acquire(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.out.Fail(err)
			}
			return
		}
		slot := permit.Slot()
		w.out.Write("acquired", "slot", slot.Number(), "token", slot.Token(), "deadline", permit.Remaining)
		w.f.acquired <- struct{}{}
		n := w.issue(ctx, permit, slot)
		lost := context.Cause(permit.Context()) // nil if it was not
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = permit.Release(late) // it goes on in the background
		cancel()
		if lost != nil {
			w.out.Write("lost", "slot", slot.Number(), "token", slot.Token(), "issued", n, "reason", lost.Error())
		} else {
			w.out.Write("released", "slot", slot.Number(), "token", slot.Token(), "issued", n)
		}
	}
}

// issue issues ids until the slot is not ours any more. It is the part to copy: it asks Valid
// before each id.
func (w *worker) issue(ctx context.Context, permit *semaphore.Permit, slot semaphore.Slot) (n int) {
	_ = demo.Sleep(ctx, differ)
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
			w.f.enter(now<<(numberBits+counterBits)|int64(slot.Number())<<counterBits|counter, w.name)
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
