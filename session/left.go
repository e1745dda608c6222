package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// A client that is closed may hold a thousand places. To announce each departure by itself takes
// four times as many operations as the deletions. So if many owners have finished at the same time,
// and no other place of the session is in use, the session announces all departures at once: it
// sets its heartbeat to "left", in the transaction that deletes the places. From then on it sets
// the heartbeat no more, and no lease of it begins or goes on. What the owners announce besides is
// written afterwards, when others hold the places already.

// left begins the data of the heartbeat of a session that has left its places.
const left = "left"

// leftAt returns the data that a session writes when it leaves, at the given version.
func leftAt(version int32) string { return fmt.Sprintf("%s %d", left, version) }

// Left reports whether the session with that id has left: its client was closed, the owners of all
// its places had finished, and no place of it is ever held again. Ask when one of its places is
// gone and no notice was given. The answer is false if its heartbeat is gone or cannot be read.
func (s *Session) Left(ctx context.Context, id int64) (bool, error) {
	s.mu.Lock()
	known := s.lastLeft == id
	s.mu.Unlock()
	if known {
		return true, nil
	}
	data, stat, err := s.Get(ctx, s.HeartbeatPath(id))
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth) {
		return false, nil
	}
	if err != nil || stat.EphemeralOwner != id || string(data) != leftAt(stat.Version-1) {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastLeft = id
	return true, nil
}

// clientCloses notes that the client is closed: recipes leave their places, and take no others.
func (s *Session) clientCloses() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
}

// Finish says that the owner of the place has finished: it does not use the place any more, and
// never will again. The session beats for the place until Release. Finish may be called more than
// once.
func (h *Hold) Finish() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.finished = true
}

// Leave deletes the place, as [Session.EnsureDeleted] does. The owner must have finished, and with
// announces that. There is one difference: if the client is closed, and the owners of all places of
// the session have finished, the session may leave many places in one transaction. Then the
// operations in with come after the deletion, without the notice. Until they are carried out,
// [Session.Left] tells others what they announce.
func (h *Hold) Leave(ctx context.Context, with ...any) error {
	h.Finish()
	return h.s.ensureDeleted(ctx, h.own.path, true, with)
}

// leaveTogether deletes the places of a batch and announces that the session has left. It returns
// false if nothing was done.
func (s *Session) leaveTogether(batch []*pending) bool {
	left, ok := s.beginToLeave(batch)
	if !ok {
		return false
	}
	if len(left) == 0 {
		s.announce(batch, s.deleteAll(batch))
		return true
	}
	// One place alone goes first. Others learn by its end that the session has left, and need not
	// ask when the other places go.
	first, rest := batch[:1], batch[1:]
	err := s.deleteAll(first, left...)
	if OutcomeOf(err) == OutcomeNotDone {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left, s.leftRefused = false, true
		return false
	}
	if err != nil { // perhaps it has not left: each place goes with an announcement of its own
		s.announce(first, err)
		for _, p := range rest {
			p.done <- answered{alone: true}
		}
		return true
	}
	others := s.deleteAll(rest)
	s.announce(first, nil)
	s.announce(rest, others)
	return true
}

// deleteAll deletes the places of departures in one transaction, after these operations.
func (s *Session) deleteAll(batch []*pending, ops ...any) error {
	for _, p := range batch {
		ops = append(ops, p.deletion())
	}
	_, err := s.Multi(s.ctx, ops...)
	return err
}

// deletion returns the operation that deletes the place of a departure.
func (p *pending) deletion() any { return p.ops[len(p.ops)-1] }

// announce carries out what the departures of a batch announce besides, and answers them. err is
// that of the deletions.
func (s *Session) announce(batch []*pending, err error) {
	var ops []any
	bytes := 0
	carryOut := func() {
		if _, err := s.Multi(s.ctx, ops...); err != nil {
			for _, op := range ops {
				_, _ = s.Multi(s.ctx, op) // one that is refused delays others, as without it
			}
		}
		ops, bytes = nil, 0
	}
	for _, p := range batch {
		for _, op := range s.withoutNotice(p.path, p.ops[:len(p.ops)-1]) {
			o, _ := operation(op)
			if bytes += size(o); bytes > maxBytesTogether {
				carryOut()
			}
			ops = append(ops, op)
		}
	}
	if err == nil && len(ops) > 0 {
		carryOut()
	}
	for _, p := range batch {
		switch {
		case err == nil:
			p.done <- answered{}
		case OutcomeOf(err) == OutcomeNotDone:
			p.done <- answered{alone: true}
		default:
			p.done <- answered{err: p.unknown(errors.Unwrap(err))}
		}
	}
}

// beginToLeave returns the operation that announces that the session has left, unless it has left
// already. It is not ok if a place may be in use still, or may come to be.
func (s *Session) beginToLeave(batch []*pending) (ops []any, ok bool) {
	for _, p := range batch {
		if !p.leaves {
			return nil, false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil, true
	}
	version := s.heart.version
	if s.beating {
		version++ // the beat under way comes first
	}
	if !s.closing || s.leftRefused || !s.heart.exists || s.heart.unsure || s.creating != nil || version == -1 {
		return nil, false
	}
	for _, h := range s.holds {
		if !h.finished {
			return nil, false
		}
	}
	s.left = true
	return []any{&zk.SetDataRequest{Path: s.heart.path, Data: []byte(leftAt(version)), Version: version}}, true
}
