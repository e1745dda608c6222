package session

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Counts are totals over all sessions of a client since Open, for metrics.
type Counts struct {
	// Sessions is how many sessions servers have granted. Lost is how many of them have ended
	// without being closed.
	Sessions, Lost uint64
	// Reconnects is how often a session got another connection, to the same server or another.
	Reconnects uint64
	// Beats is how many beats have set the heartbeat. FailedBeats is how many were not answered on
	// their connection, or were refused, for example because a place's znode is gone.
	Beats, FailedBeats uint64
	// BeatTime is how long the successful beats took, all together, each until its answer. A beat
	// that takes D/4 counts as lost, and the session moves to another server.
	BeatTime time.Duration
	// BeatsWithin is the cumulative histogram of these times: the element i counts the beats that
	// took at most 1 ms << i.
	BeatsWithin [13]uint64
}

// counts are the counters behind a client's Counts. Each is read and written on its own.
type counts struct {
	sessions, lost, reconnects, failedBeats atomic.Uint64

	beatTime atomic.Int64
	// Successful beats, by the first element of BeatsWithin that counts them. The last element is
	// for beats that are slower than all of these.
	beats [14]atomic.Uint64
}

// beaten counts a successful beat.
func (c *counts) beaten(took time.Duration) {
	took = max(took, 0)
	c.beatTime.Add(int64(took))
	// The number of bits of n is the smallest i with n < 1 << i.
	within := bits.Len64(uint64(max(took-1, 0) / time.Millisecond))
	c.beats[min(within, len(c.beats)-1)].Add(1)
}

// read returns the totals. While beats go on, the totals may differ by the latest beat.
func (c *counts) read() Counts {
	out := Counts{
		Sessions: c.sessions.Load(), Lost: c.lost.Load(), Reconnects: c.reconnects.Load(),
		FailedBeats: c.failedBeats.Load(), BeatTime: time.Duration(c.beatTime.Load()),
	}
	for i := range c.beats {
		out.Beats += c.beats[i].Load()
		if i < len(out.BeatsWithin) {
			out.BeatsWithin[i] = out.Beats
		}
	}
	return out
}
