package faultproxy

import (
	"sync"
	"time"
)

// link is the state of one direction, the same for all connections.
type link struct {
	held  bool
	drop  bool
	delay time.Duration
	rate  int // bytes per second; 0 is unlimited
}

// due returns when an item may leave: late by the delay, and spaced by the rate.
func (l link) due(it item, last time.Time) time.Time {
	t := it.frame.When.Add(l.delay)
	if l.rate > 0 {
		spaced := last.Add(time.Duration(len(it.data)) * time.Second / time.Duration(l.rate))
		if spaced.After(t) {
			return spaced
		}
	}
	return t
}

// Hold keeps frames, and the news that a side has closed, from being delivered in a direction. They
// queue in order.
func (p *Proxy) Hold(dir Dir) { p.setLink(dir, func(l *link) { l.held = true }) }

// Release ends Hold: what has queued is delivered.
func (p *Proxy) Release(dir Dir) { p.setLink(dir, func(l *link) { l.held = false }) }

// Drop, while on, swallows all frames of a direction without a trace: a black hole. The other side
// does not learn that this one has closed, either, until Drop is off.
func (p *Proxy) Drop(dir Dir, on bool) { p.setLink(dir, func(l *link) { l.drop = on }) }

// Delay delivers every frame of a direction d after it has come, in order; 0 ends it.
func (p *Proxy) Delay(dir Dir, d time.Duration) { p.setLink(dir, func(l *link) { l.delay = d }) }

// Rate limits each connection's bytes per second in a direction, frame by frame; 0 ends it.
func (p *Proxy) Rate(dir Dir, bytesPerSecond int) {
	p.setLink(dir, func(l *link) { l.rate = bytesPerSecond })
}

func (p *Proxy) setLink(dir Dir, set func(*link)) {
	defer p.noise()
	p.mu.Lock()
	defer p.mu.Unlock()
	for d := range p.links {
		if dir&d != 0 {
			set(p.links[d])
		}
	}
	p.announce()
}

// link returns a direction's state and a channel that is closed when anything changes.
func (p *Proxy) link(dir Dir) (link, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.links[dir], p.changed
}

// item is what a direction delivers: a frame, raw bytes, or the end of the stream.
type item struct {
	frame   Frame
	data    []byte
	eof     bool
	dropped bool   // the direction dropped when it came
	reset   bool   // of an end: it was no orderly one
	fault   *Fault // to apply when a reply is delivered
}

// queue carries items from a direction's reader to its writer, without a limit: a hold must not
// stop the reader, which is the observer too.
type queue struct {
	mu    sync.Mutex // guards items
	items []item
	ready chan struct{} // holds one token while items may be waiting
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) push(it item) {
	q.mu.Lock()
	q.items = append(q.items, it)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop waits for the next item; false when done is closed first.
func (q *queue) pop(done <-chan struct{}) (item, bool) {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			it := q.items[0]
			q.items = q.items[1:]
			q.mu.Unlock()
			return it, true
		}
		q.mu.Unlock()
		select {
		case <-done:
			return item{}, false
		case <-q.ready:
		}
	}
}
