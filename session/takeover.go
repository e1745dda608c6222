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
	// run. Somebody has made its heartbeat by hand, after the one that was heard was gone. This is
	// no *Error, because the request was carried out.
	ErrUnproved = errors.New("session: the heartbeat was made again by hand, so that a lease of the other session may still run")
)

// TakeOver deletes the place at path, which belongs to the session that l listens to. heard is what
// the caller has decided by: that session is silent, revoked or gone. own are the caller's places.
// When TakeOver has returned nil, the other session does not hold the place, and never will.
//
// All is done in one multi. It fails if one of the caller's places is gone, or if the heartbeat is
// not as it was heard. It revokes the heartbeat, if nobody has done so before: then no beat was
// committed after the one that was heard last, and no beat ever will be. If many Listeners to one
// session take over at the same time, the first of them revokes the heartbeat, and a few batches
// carry the other deletions.
//
// If TakeOver fails, a beat was on its way, or another session has taken over, or the place has
// gone meanwhile, or the answer is lost, or a permission is missing: WRITE on the heartbeat, DELETE
// on the directory of the place. Decide again by what is heard then: after a beat, the silence
// counts from the start.
func (l *Listener) TakeOver(ctx context.Context, heard Heartbeat, path string, own ...string) error {
	switch known := l.Heartbeat().Path; {
	case heard.Path != known:
		return refusedTakeover(path, fmt.Errorf("%w: the heartbeat %s was heard; want %s, that of the session that is listened to", zk.ErrBadArguments, heard.Path, known))
	case heard.State < HeartbeatSilent:
		return refusedTakeover(path, fmt.Errorf("%w: the heartbeat is %v; want it silent, revoked or gone", zk.ErrBadArguments, heard.State))
	}
	var ops []any
	for _, place := range own {
		ops = append(ops, &zk.CheckVersionRequest{Path: place, Version: -1})
	}
	ops = append(ops, &zk.DeleteRequest{Path: path, Version: -1})
	alone := func() (string, error) { return "", l.takeOver(ctx, heard, ops) }
	_, err := l.source.takeovers.do(ctx, &pending{op: takeover, path: path, ops: ops, alone: alone})
	return err
}

const takeover = "takeover"

func refusedTakeover(path string, err error) error {
	return &Error{Op: takeover, Path: path, Outcome: OutcomeNotDone, Err: err}
}

// takeOver is TakeOver outside of a batch. The operations are the checks of the own places, and the
// deletion.
func (l *Listener) takeOver(ctx context.Context, heard Heartbeat, ops []any) error {
	if now := l.Heartbeat(); now.State > HeartbeatSilent {
		heard = now // another Listener has taken over meanwhile
	}
	first := heard.proof()
	results, err := l.s.Multi(ctx, append(first, ops...)...)
	var e *Error
	switch {
	case err == nil && heard.State == HeartbeatSilent:
		if stat := results[0].Stat; stat == nil || stat.Czxid != heard.Czxid {
			return ErrUnproved
		}
		l.revoked(heard)
	case errors.As(err, &e) && e.Outcome == OutcomeNotDone && len(results) > 0:
		switch failed := failedOf(results) - len(first); {
		case failed < 0:
			l.restart(heard, true)
		case failed < len(ops)-1 && errors.Is(err, zk.ErrNoNode):
			e.Err = fmt.Errorf("%w: %w", ErrOwnGone, e.Err)
		default:
			l.restart(heard, false)
		}
	}
	return err
}

// failedOf returns which operation of a multi has failed.
func failedOf(results []zk.MultiResponse) int {
	for i, r := range results {
		if r.Error != nil {
			return i
		}
	}
	return len(results)
}

// proof returns the operation of a takeover that fails if the heartbeat is not as it was heard, and
// that revokes it. A heartbeat that is gone cannot change: its session makes no other.
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

// same reports whether nothing new was heard.
func (h Heartbeat) same(other Heartbeat) bool {
	return h.State == other.State && h.Version == other.Version && h.Czxid == other.Czxid
}

// together returns what a batch of takeovers begins with. Before the heartbeat is revoked or gone
// there is no batch, because only the answer to the revocation tells whether it was the heartbeat
// that was heard. If the heartbeat is not silent any more, the takeovers fail: another session has
// revoked it, or a beat came.
func (src *source) together() (ops []any, alone bool, err error) {
	src.s.mu.Lock()
	defer src.s.mu.Unlock()
	now := src.heard.now
	if now.State < HeartbeatSilent {
		return nil, false, refusedTakeover(now.Path, zk.ErrBadVersion)
	}
	return now.proof(), now.State == HeartbeatSilent, nil
}

// revoked tells all Listeners to the same session that one of them has taken over.
func (l *Listener) revoked(heard Heartbeat) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if h := &l.source.heard; h.now.same(heard) {
		h.now.State, h.now.Version = HeartbeatRevoked, heard.Version+1
		l.source.tell()
	}
}

// restart is called when a takeover that relied on heard has failed. The next read of the heartbeat
// tells what it is. If it has changed, the silence counts from the start. restart does nothing if
// something new was heard meanwhile.
func (l *Listener) restart(heard Heartbeat, changed bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	h := &l.source.heard
	if h.now.State == HeartbeatUnseen || !h.now.same(heard) {
		return
	}
	h.now.State = HeartbeatBeating
	if changed {
		h.since = l.s.clock.Now()
	}
}
