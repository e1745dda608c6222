package session

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// HeartbeatState is what the reads of a heartbeat have shown.
type HeartbeatState int

const (
	// HeartbeatUnseen: it has never been read. No server has answered yet, or it is not in this
	// client's Config.Beats, or this client has no permission to read it.
	HeartbeatUnseen HeartbeatState = iota
	// HeartbeatBeating: it is set, or was a moment ago.
	HeartbeatBeating
	// HeartbeatSilent: it has not been set for 17/16 of the other session's lease.
	HeartbeatSilent
	// HeartbeatRevoked: a session has taken over from the heartbeat's session.
	HeartbeatRevoked
	// HeartbeatGone: it was there, and has been gone for 17/16 of the other session's lease.
	HeartbeatGone
)

// String returns the state in lower case.
func (s HeartbeatState) String() string {
	return enum.Name(s, []string{"unseen", "beating", "silent", "revoked", "gone"})
}

// Heartbeat is what a Listener knows of another session's heartbeat.
type Heartbeat struct {
	State HeartbeatState
	// Path is the path of the heartbeat.
	Path string
	// Czxid and Version are those of the latest beat that was read. A takeover sets the heartbeat
	// at this version.
	Czxid   int64
	Version int32
	// LeaseTime is how long a lease of that session lasts; zero if it is not known.
	LeaseTime time.Duration
	// Err is why it cannot be read, such as zk.ErrNoAuth.
	Err error
}

// Outlast returns how long to wait from an instant until every lease of length d is over by every
// clock, if its last beat began before that instant. It is 17/16 of d, for clocks whose rates
// differ by less than 6 %.
func Outlast(d time.Duration) time.Duration { return d + d/16 }

// hearing is what a Listener concludes from its reads. It has no clock: it gets answers and the
// instants of their arrival, and computes a Heartbeat from them.
type hearing struct {
	owner    int64 // the session that is listened to
	now      Heartbeat
	since    clock.Instant // when the first answer arrived that showed the present beat, or that the heartbeat is gone
	answered clock.Instant // when the latest answer arrived
}

// unansweredFor divides the other session's lease. If no read was answered for longer than that
// part of the lease, the silence is counted from the start again, because our own connection may
// have been the reason for it.
const unansweredFor = 2

// answer handles the answer to a read that arrived at now. own is the lease time that is assumed
// until that of the other session is known.
func (h *hearing) answer(now clock.Instant, data []byte, stat zk.Stat, err error, own time.Duration) {
	if lease := cmp.Or(h.now.LeaseTime, own); !h.answered.IsZero() && now.Sub(h.answered) > lease/unansweredFor && h.now.Czxid != 0 {
		h.since = now // reads were not answered; a heartbeat that is gone stays gone
	}
	h.answered = now
	seen := h.now.State != HeartbeatUnseen
	if err == nil && (stat.EphemeralOwner != h.owner || seen && stat.Czxid != h.now.Czxid) {
		err = zk.ErrNoNode // the session creates it once: this znode is not the session's
	}
	switch {
	case errors.Is(err, zk.ErrNoNode) && seen:
		if h.now.Czxid != 0 {
			h.now.Czxid, h.since = 0, now
		}
		if h.now.LeaseTime > 0 && h.since.Add(Outlast(h.now.LeaseTime)).Reached(now) {
			h.now.State = HeartbeatGone
		}
		return
	case err != nil:
		h.now.Err = err
		return
	}
	h.now.Err = nil
	newer := stat.Version - h.now.Version // after the largest version comes the smallest
	if !seen || newer > 0 {
		h.since = now
	}
	if seen && newer < 0 {
		return // from a server that lags
	}
	h.now.Czxid, h.now.Version = stat.Czxid, stat.Version
	if string(data) == revokedAt(stat.Version-1) {
		h.now.State = HeartbeatRevoked
		return
	}
	if d, err := ParseLease(string(data)); err == nil && d > h.now.LeaseTime {
		h.now.LeaseTime = d // the lease time of a session never changes: a shorter one was written by hand
	}
	h.now.State = HeartbeatBeating
	// A request at version -1 succeeds at any version. So a takeover at -1 would prove nothing. One
	// at -2 sets the version to -1, and then the checks of further takeovers would prove nothing.
	if h.now.LeaseTime > 0 && stat.Version != -1 && stat.Version != -2 && h.since.Add(Outlast(h.now.LeaseTime)).Reached(now) {
		h.now.State = HeartbeatSilent
	}
}

// next returns how long to wait before the next read.
func (h *hearing) next(now clock.Instant, own time.Duration) time.Duration {
	lease := own
	if h.now.LeaseTime > 0 {
		lease = min(lease, h.now.LeaseTime)
	}
	every := lease / listenEvery
	if h.since.IsZero() || h.now.State == HeartbeatUnseen {
		return every
	}
	if over := h.since.Add(Outlast(max(h.now.LeaseTime, 0))); !over.Reached(now) {
		return max(min(every, over.Sub(now)), time.Millisecond)
	}
	return every
}

// listenEvery divides a lease: one part is the time between two reads of another session's
// heartbeat. That is half of the time between two beats, so that a silence is noticed soon.
const listenEvery = 8

// A Listener reads the heartbeat of another session eight times per lease. If a session has several
// Listeners to the same other session, they share the reads.
type Listener struct {
	s      *Session
	source *source
	wake   chan<- struct{}
}

// source is one other session's heartbeat. All Listeners to that session share it. The session's mu
// guards it.
type source struct {
	s         *Session
	owner     int64
	heard     hearing
	listeners []*Listener
	takeovers batcher
	stop      context.CancelFunc
}

// Listen begins to listen to the heartbeat of the session with the id owner. The wake channel gets
// a signal when the heartbeat's state changes. Listen panics if the channel has no room for one
// signal. Stop ends it.
func (s *Session) Listen(owner int64, wake chan<- struct{}) *Listener {
	checkWake(wake)
	l := &Listener{s: s, wake: wake}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.source = s.sources[owner]; l.source == nil {
		l.source = &source{s: s, owner: owner, heard: hearing{owner: owner, now: Heartbeat{Path: s.HeartbeatPath(owner)}}}
		l.source.takeovers = batcher{s: s, multi: s.Multi, opening: l.source.opening}
		s.sources[owner] = l.source
		ctx, cancel := context.WithCancel(s.ctx)
		l.source.stop = cancel
		if !s.over {
			s.calls.Go(func() { s.listen(ctx, l.source) })
		}
	}
	l.source.listeners = append(l.source.listeners, l)
	return l
}

// Stop ends the listening. It may be called more than once.
func (l *Listener) Stop() {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.source.listeners = without(l.source.listeners, l)
	if len(l.source.listeners) == 0 {
		l.source.stop()
		if l.s.sources[l.source.owner] == l.source {
			delete(l.s.sources, l.source.owner)
		}
	}
}

// Heartbeat returns what the reads have shown so far.
func (l *Listener) Heartbeat() Heartbeat {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.source.heard.now
}

func (src *source) tell() {
	for _, l := range src.listeners {
		notify.Signal(l.wake)
	}
}

// listen reads the heartbeat until no Listener is left.
func (s *Session) listen(ctx context.Context, src *source) {
	path := src.heard.now.Path // never changes
	for ctx.Err() == nil {
		data, stat, err := s.Get(ctx, path)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		now, before := s.clock.Now(), src.heard.now
		src.heard.answer(now, data, stat, err, s.leaseTime)
		if src.heard.now.State != before.State || (src.heard.now.Err == nil) != (before.Err == nil) {
			src.tell()
		}
		wait := src.heard.next(now, s.leaseTime)
		s.mu.Unlock()
		clock.Sleep(ctx, s.clock, wait)
	}
}
