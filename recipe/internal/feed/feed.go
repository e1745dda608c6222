// Package feed delivers events in order, without making the sender wait.
package feed

import "sync"

// Feed delivers to one function in order, from one goroutine at a time that exists only while
// there is something to deliver. Nothing is dropped or merged.
type Feed[E any] struct {
	deliver func(E) // nil: nobody listens

	mu    sync.Mutex // guards what follows; never held during a delivery
	queue []E
	idle  chan struct{} // closed by the delivering goroutine at its end; nil while there is none
}

// New returns a Feed that delivers to deliver, or to nobody if it is nil.
func New[E any](deliver func(E)) *Feed[E] { return &Feed[E]{deliver: deliver} }

// Send puts an event into the queue. It never blocks.
func (f *Feed[E]) Send(event E) {
	if f.deliver == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, event)
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
			f.idle = nil
			f.mu.Unlock()
			over = true
			return
		}
		event := f.queue[0]
		f.queue = f.queue[1:]
		f.mu.Unlock()
		f.deliver(event)
	}
}

// Wait returns when all that was sent has been delivered.
func (f *Feed[E]) Wait() {
	f.mu.Lock()
	idle := f.idle
	f.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
