package faultproxy

import "maps"

// Count is a number of frames and their bytes on the wire.
type Count struct{ Frames, Bytes int }

// Counts is what the proxy has read since it was made or since Reset. Raw chunks count as frames of
// OpRaw, watch events as replies of OpEvent, and the replies of FailReply as replies.
type Counts struct {
	Requests, Replies map[Op]Count
	Connections       int // accepted, those refused included
}

// Total returns the sum over all operations of requests and replies.
func (c Counts) Total() (requests, replies Count) { return sum(c.Requests), sum(c.Replies) }

func sum(by map[Op]Count) (total Count) {
	for _, n := range by {
		total.Frames += n.Frames
		total.Bytes += n.Bytes
	}
	return total
}

func newCounts() Counts {
	return Counts{Requests: make(map[Op]Count), Replies: make(map[Op]Count)}
}

// Counts returns a snapshot.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	c.Requests, c.Replies = maps.Clone(c.Requests), maps.Clone(c.Replies)
	return c
}

// Reset sets all counts to zero.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = newCounts()
}

// OnFrame sets the one function that is told of every frame as soon as it has been read, before it
// is delivered: a Hold called from it catches the frame. It is called from several goroutines, and
// its connection waits for it; it may call anything but Close. nil takes it away.
func (p *Proxy) OnFrame(f func(Frame)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onFrame = f
}

// observe counts a frame and tells the observer.
func (p *Proxy) observe(f Frame) {
	p.mu.Lock()
	by := p.counts.Requests
	if f.Dir == ToClient {
		by = p.counts.Replies
	}
	n := by[f.Op]
	by[f.Op] = Count{n.Frames + 1, n.Bytes + f.Bytes}
	tell := p.onFrame
	p.mu.Unlock()
	if tell != nil {
		tell(f)
	}
}
