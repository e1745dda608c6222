// Package notify is how goroutines tell one another that it is time to look again.
package notify

import "sync"

// Signal puts a signal into a channel, unless there is no room because nobody has taken the last
// one. It does not block.
func Signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Change tells any number of goroutines that something has changed. Its zero value is ready to use.
// Its methods may be called by any number of goroutines at the same time.
type Change struct {
	mu   sync.Mutex
	next chan struct{} // nil if nobody waits
}

// Next returns a channel that is closed by the next Tell. Call it before you look at what may
// change, or under the lock that guards it: then no change is missed.
func (c *Change) Next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

// Tell wakes all who have called Next since the last Tell.
func (c *Change) Tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}
