// Package feed passes values to the user's code, in order. The sender never waits for that code.
package feed

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// Feed delivers values to its subscribers, to each in order. For each subscriber there is at most
// one goroutine, and only while there is something to deliver. A value that does not fit into a
// subscriber's queue is dropped and counted.
type Feed[E any] struct {
	most    int
	dropped *atomic.Uint64

	mu          sync.Mutex // guards what follows, and the subscribers; never held during a delivery
	subscribers []*subscriber[E]
}

// subscriber is a function with a queue of its own.
type subscriber[E any] struct {
	deliver func(E)
	queue   []E
	idle    chan struct{} // closed by the delivering goroutine at its end; nil while there is none
}

// New returns a Feed with deliver as its first subscriber, or with none if deliver is nil. At most
// `most` values wait in the queue of each subscriber.
func New[E any](deliver func(E), most int) *Feed[E] {
	return NewCounted(deliver, most, new(atomic.Uint64))
}

// NewCounted is New for a Feed that counts in dropped what it drops. Several Feeds can share one
// count.
func NewCounted[E any](deliver func(E), most int, dropped *atomic.Uint64) *Feed[E] {
	f := &Feed[E]{most: most, dropped: dropped}
	if deliver != nil {
		f.Subscribe(deliver)
	}
	return f
}

// Subscribe delivers to one more function all values that are sent from now on, until stop is
// called. stop drops the values that wait for the function. A delivery that is under way goes on.
func (f *Feed[E]) Subscribe(deliver func(E)) (stop func()) {
	s := &subscriber[E]{deliver: deliver}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers = append(f.subscribers, s)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.subscribers = slices.DeleteFunc(f.subscribers, func(other *subscriber[E]) bool { return other == s })
		s.queue = nil
	}
}

// Send adds a value to the queues. It never blocks.
func (f *Feed[E]) Send(e E) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subscribers {
		if len(s.queue) >= f.most {
			f.dropped.Add(1)
			continue
		}
		s.queue = append(s.queue, e)
		if s.idle == nil {
			s.idle = make(chan struct{})
			go f.run(s)
		}
	}
}

func (f *Feed[E]) run(s *subscriber[E]) {
	over := false
	defer func() {
		if !over { // the function has called runtime.Goexit: the values behind it are still to be delivered
			go f.run(s)
		}
	}()
	for {
		f.mu.Lock()
		if len(s.queue) == 0 {
			close(s.idle)
			s.idle, s.queue = nil, nil
			f.mu.Unlock()
			over = true
			return
		}
		e := s.queue[0]
		s.queue = s.queue[1:]
		f.mu.Unlock()
		s.deliver(e)
	}
}

// Dropped returns how many values were dropped because a queue was full, by all Feeds that share
// the count.
func (f *Feed[E]) Dropped() uint64 { return f.dropped.Load() }

// WaitFor waits until all values that were sent have been delivered, for d at most.
func (f *Feed[E]) WaitFor(c clock.Clock, d time.Duration) { waitFor(c, d, f.busy()) }

// waitFor waits until all of the channels are closed, for d at most.
func waitFor(c clock.Clock, d time.Duration, busy []chan struct{}) {
	if len(busy) == 0 {
		return
	}
	timer := clock.NewTimer(c)
	defer timer.Stop()
	timer.Reset(d)
	for _, idle := range busy {
		select {
		case <-idle:
		case <-timer.C:
			return
		}
	}
}

// busy returns the channels that are closed when the subscribers have nothing to do.
func (f *Feed[E]) busy() (all []chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subscribers {
		if s.idle != nil {
			all = append(all, s.idle)
		}
	}
	return all
}
