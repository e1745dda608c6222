// Package feed hands things on to code of the user's, in order. The sender never waits for that
// code.
package feed

import (
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Feed delivers to one function in order, from one goroutine at a time that exists only while
// there is something to deliver. What does not fit into its queue is dropped and counted.
type Feed[E any] struct {
	deliver func(E) // nil: nobody listens
	most    int

	mu      sync.Mutex // guards what follows; never held during a delivery
	queue   []E
	dropped uint64
	idle    chan struct{} // closed by the delivering goroutine at its end; nil while there is none
}

// New returns a Feed that delivers to deliver, or to nobody if it is nil. At most so many as most
// says wait in its queue.
func New[E any](deliver func(E), most int) *Feed[E] { return &Feed[E]{deliver: deliver, most: most} }

// Send puts something into the queue. It never blocks.
func (f *Feed[E]) Send(e E) {
	if f.deliver == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) >= f.most {
		f.dropped++
		return
	}
	f.queue = append(f.queue, e)
	if f.idle == nil {
		f.idle = make(chan struct{})
		go f.run()
	}
}

func (f *Feed[E]) run() {
	over := false
	defer func() {
		if !over { // the function has called runtime.Goexit; those who wait must not wait for ever
			go f.run()
		}
	}()
	for {
		f.mu.Lock()
		if len(f.queue) == 0 {
			close(f.idle)
			f.idle, f.queue = nil, nil
			f.mu.Unlock()
			over = true
			return
		}
		e := f.queue[0]
		f.queue = f.queue[1:]
		f.mu.Unlock()
		f.deliver(e)
	}
}

// Dropped returns how many were dropped because the queue was full.
func (f *Feed[E]) Dropped() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}

// Wait returns when all that was sent has been delivered.
func (f *Feed[E]) Wait() {
	if idle := f.busy(); idle != nil {
		<-idle
	}
}

// WaitFor is Wait for d at most.
func (f *Feed[E]) WaitFor(c clock.Clock, d time.Duration) {
	idle := f.busy()
	if idle == nil {
		return
	}
	timer := clock.NewTimer(c)
	defer timer.Stop()
	timer.Reset(d)
	select {
	case <-idle:
	case <-timer.C:
	}
}

func (f *Feed[E]) busy() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.idle
}
