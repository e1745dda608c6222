// Package lease proves how long a ZooKeeper session cannot expire, from nothing
// but the order of the messages that its servers exchange.
//
// A server answers pings and reads for a client even after it has lost its
// quorum, while the quorum expires the client's session. So neither proves
// anything. A successful quorum write proves that the session was alive when the
// ZooKeeper leader ordered it, but it does not refresh the session there: only the
// followers' ping replies do, one every half tick, and connect handshakes. Two
// rules turn these facts into a deadline.
//
// The lease rule. PINGs and COMMITs share one FIFO from the leader to a follower;
// ping replies and requests share one FIFO back. Let j be a request or ping of ours
// that was written at s(j) and answered by e(j): from then on the follower knows that
// the session is alive. A renewal (a quorum write) that starts 3T/8 after e(j) or
// later is committed after a PING that the leader queued after e(j), so when the renewal
// succeeds, the follower has sent a ping reply that names the session. A second
// renewal that starts after the end of the first stands behind that reply in the
// FIFO, so when it succeeds, the leader has stamped the session at s(j) or later. The
// session cannot expire before s(j) + T.
//
// The handshake rule. The leader itself stamps a session that connects or
// reconnects. A connect request that was written at h and answered, followed by one
// successful renewal on the same connection (which proves that it was the leader of
// a quorum), means: no expiry before h + T.
//
// From both, [Margin] of T is taken off for clocks whose rates differ.
//
// Assumptions: T is at least two ticks (the server's default minimum), so that the
// leader queues a PING every T/4 at the latest; the leader's ping loop is late by less
// than T/8; the rates of two clocks differ by less than 6 %.
package lease

import (
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

const (
	// gapNum/gapDen of T is the distance between the answer to a touch and the start
	// of the first renewal: T/4 between two PINGs of the leader, and T/8 for a late one.
	gapNum, gapDen = 3, 8
	// Margin is the part 1/Margin of T by which the lease ends before the session
	// could, for clocks of different rates.
	Margin = 16
)

// Proof collects the evidence of one session. It is a value without clock or
// goroutine: instants in, a deadline out. The caller serializes the calls and makes
// them in the order in which things happened.
type Proof struct {
	timeout time.Duration // T, the smallest ever granted
	anchor  clock.Instant // the strongest proven stamp: no expiry before anchor + T
	proven  bool          // whether anchor holds anything

	// What follows holds within one connection only.
	touches   []touch       // answered ones, oldest first
	handshake clock.Instant // when the connect request was written
	connected bool
	first     renewal // the latest renewal that can be the first of a pair
}

// A touch is a request or ping: written at s, answered by e.
type touch struct{ s, e clock.Instant }

// A renewal ended at end, and the next one proves the stamp.
type renewal struct {
	end   clock.Instant
	stamp clock.Instant
	ok    bool // there was such a renewal
	warm  bool // there was a touch old enough for it
}

// Connected says that a connection was made: its connect request was written at h
// and has been answered with a timeout of granted. What was collected on an
// earlier connection no longer counts, but what was proven there stays so. A smaller
// timeout than ever granted before shortens the running lease at once, because the
// servers may already apply it.
func (p *Proof) Connected(h clock.Instant, granted time.Duration) {
	p.Disconnected()
	if p.timeout == 0 || granted < p.timeout {
		p.timeout = granted
	}
	p.handshake, p.connected = h, true
}

// Disconnected says that the connection is gone.
func (p *Proof) Disconnected() {
	p.connected = false
	p.touches = p.touches[:0]
	p.first = renewal{}
}

// Answered says that a request or ping written at s has been answered by e.
func (p *Proof) Answered(s, e clock.Instant) {
	if !p.connected {
		return
	}
	// Touches closer together than T/64 add nothing but memory. To leave one out is
	// always safe.
	if n := len(p.touches); n > 0 && !p.touches[n-1].s.Add(p.timeout/64).Reached(s) {
		return
	}
	p.strongestBefore(s) // whatever starts from now on starts after s
	p.touches = append(p.touches, touch{s, e})
}

// Renewed says that a renewal that was written at start has succeeded by end.
func (p *Proof) Renewed(start, end clock.Instant) {
	if !p.connected {
		return
	}
	p.prove(p.handshake)
	if p.first.ok && !p.first.end.Reached(start) {
		return // it overlaps the first of the pair: it can be neither second nor first
	}
	if p.first.ok && p.first.warm {
		p.prove(p.first.stamp)
	}
	stamp, warm := p.strongestBefore(start)
	p.first = renewal{end: end, stamp: stamp, ok: true, warm: warm}
}

// strongestBefore returns the latest touch that a renewal started at start can
// serve, and forgets those that it outdoes.
func (p *Proof) strongestBefore(start clock.Instant) (stamp clock.Instant, ok bool) {
	gap := p.timeout * gapNum / gapDen
	last := -1
	for i, t := range p.touches {
		if t.e.Add(gap).Reached(start) {
			last = i
		}
	}
	if last < 0 {
		return clock.Instant{}, false
	}
	p.touches = append(p.touches[:0], p.touches[last:]...)
	return p.touches[0].s, true
}

// prove notes that the leader has stamped the session at s or later.
func (p *Proof) prove(s clock.Instant) {
	if !p.proven || p.anchor.Reached(s) {
		p.anchor, p.proven = s, true
	}
}

// Timeout returns T, the smallest timeout that was ever granted, or zero.
func (p *Proof) Timeout() time.Duration { return p.timeout }

// Deadline returns until when the session provably cannot expire. The zero Instant
// means that nothing has been proven yet.
func (p *Proof) Deadline() clock.Instant {
	if !p.proven {
		return clock.Instant{}
	}
	return p.anchor.Add(p.timeout - p.timeout/Margin)
}
