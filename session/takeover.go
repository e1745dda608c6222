package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// What [Listener.TakeOver] finds. Test with errors.Is.
var (
	// ErrOwnGone: a place of the caller's is gone, so it has not taken over.
	ErrOwnGone = errors.New("session: an own place is gone")
	// ErrUnproved: the place of the other session is deleted, but a lease of that session may still
	// run. Somebody has made its heartbeat by hand, after the one that was heard was gone.
	ErrUnproved = errors.New("session: the heartbeat was made again by hand, so that a lease of the other session may still run")
)

// TakeOver deletes the place at path, which belongs to the session that l listens to. heard is what
// the caller has decided by: that session is silent, revoked or gone. own are the caller's places.
// When TakeOver has returned nil, the other session does not hold the place, and never will.
//
// All is done in one multi. It fails if one of the caller's places is gone, or if the heartbeat has
// changed since it was heard. It revokes the heartbeat, if nobody has done so before: then no beat
// was committed after the one that was heard last, and no beat ever will be. If many Listeners to
// one session take over at the same time, the first of them revokes the heartbeat, and a few
// batches carry the other deletions.
//
// If TakeOver fails, a beat was on its way, or the place has gone meanwhile, or the answer is lost,
// or a permission is missing: WRITE on the heartbeat, DELETE on the directory of the place. Then
// the silence counts from the start again, except after [ErrOwnGone] and [ErrUnproved].
func (l *Listener) TakeOver(ctx context.Context, heard Heartbeat, path string, own ...string) error {
	if heard.State < HeartbeatSilent {
		err := fmt.Errorf("%w: the heartbeat is %v; want it silent, revoked or gone", zk.ErrBadArguments, heard.State)
		return &Error{Op: "takeover", Path: path, Outcome: OutcomeNotDone, Err: err}
	}
	var ops []any
	for _, place := range own {
		ops = append(ops, &zk.CheckVersionRequest{Path: place, Version: -1})
	}
	ops = append(ops, &zk.DeleteRequest{Path: path, Version: -1})
	alone := func() (string, error) { return "", l.takeOver(ctx, heard, ops) }
	_, err := l.source.takeovers.do(ctx, &pending{op: "takeover", path: path, ops: ops, alone: alone})
	if OutcomeOf(err) == OutcomeUnknown && !errors.Is(err, ErrUnproved) && ctx.Err() == nil {
		l.restart(l.Heartbeat())
	}
	return err
}

// takeOver is TakeOver outside of a batch. The operations are the checks of the own places, and the
// deletion.
func (l *Listener) takeOver(ctx context.Context, heard Heartbeat, ops []any) error {
	if heard.State == HeartbeatSilent && l.Heartbeat().same(heard.revoked()) {
		heard = heard.revoked() // another Listener has taken over meanwhile
	}
	first := heard.proof()
	results, err := l.s.Multi(ctx, append(first, ops...)...)
	var e *Error
	switch {
	case errors.As(err, &e) && e.Outcome == OutcomeNotDone:
		if failed := failedOf(results) - len(first); 0 <= failed && failed < len(ops)-1 && errors.Is(err, zk.ErrNoNode) {
			e.Err = fmt.Errorf("%w: %w", ErrOwnGone, e.Err)
		} else if ctx.Err() == nil {
			l.restart(heard)
		}
	case err == nil && heard.State == HeartbeatSilent:
		if stat := results[0].Stat; stat == nil || stat.Czxid != heard.Czxid {
			return ErrUnproved
		}
		l.revoked(heard)
	}
	return err
}

// failedOf returns the first operation of a multi that has failed.
func failedOf(results []zk.MultiResponse) int {
	for i, r := range results {
		if r.Error != nil {
			return i
		}
	}
	return len(results)
}

// proof returns the operation of a takeover that fails if the heartbeat has changed since it was
// heard, and that revokes it. A heartbeat that is gone cannot change: its session makes no other.
func (h Heartbeat) proof() []any {
	switch h.State {
	case HeartbeatRevoked:
		return []any{&zk.CheckVersionRequest{Path: h.Path, Version: h.Version}}
	case HeartbeatGone:
		return nil
	}
	// The data contain the version, so that data written by hand are not taken for a revocation.
	return []any{&zk.SetDataRequest{Path: h.Path, Data: []byte(revokedAt(h.Version)), Version: h.Version}}
}

// revoked returns what is heard after a takeover from a silent session.
func (h Heartbeat) revoked() Heartbeat {
	h.State, h.Version = HeartbeatRevoked, h.Version+1
	return h
}

// same reports whether nothing new was heard.
func (h Heartbeat) same(other Heartbeat) bool {
	return h.State == other.State && h.Version == other.Version && h.Czxid == other.Czxid
}

// together returns what a batch of takeovers begins with. There is no batch before the heartbeat is
// revoked or gone, because the answer to the revocation has to be looked at.
func (src *source) together() (ops []any, ok bool) {
	src.s.mu.Lock()
	defer src.s.mu.Unlock()
	now := src.heard.now
	return now.proof(), now.State == HeartbeatRevoked || now.State == HeartbeatGone
}

// revoked tells all Listeners to the same session that one of them has taken over.
func (l *Listener) revoked(heard Heartbeat) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	heard = heard.revoked()
	h := &l.source.heard
	h.now.State, h.now.Version = heard.State, heard.Version
	l.source.tell()
}

// restart counts the silence from the start again, because a takeover that relied on heard has
// failed. It does nothing if the heartbeat has changed since.
func (l *Listener) restart(heard Heartbeat) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if h := &l.source.heard; h.now.State != HeartbeatUnseen && h.now.same(heard) {
		h.now.State, h.since = HeartbeatBeating, l.s.clock.Now()
	}
}
