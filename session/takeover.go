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
	// OutcomeOf calls this unknown.
	ErrUnproved = errors.New("session: the heartbeat was made again by hand, so that a lease of the other session may still run")
)

// TakeOver deletes the place at path, which belongs to the session that l listens to. heard is the
// Heartbeat by which the caller has decided. It must be silent, revoked or gone. own are the
// caller's places, which must exist. When TakeOver has returned nil, the other session does not
// hold the place, and never will.
//
// All is done in one multi. It fails if a beat came after the one that was heard last. If the
// heartbeat is neither revoked nor gone, the multi revokes it. So no beat ever comes after that. If
// many Listeners to one session take over at the same time, the first of them revokes the
// heartbeat, and a few batches carry the other deletions.
//
// The errors besides [ErrOwnGone] and [ErrUnproved] have these reasons: a beat was on its way,
// another session has taken over, the place has gone, a permission is missing (WRITE on the
// heartbeat, DELETE on the directory of the place), the answer is lost, or ctx or the own session
// has ended. Then decide again by what is heard next. After a beat the silence counts from the
// start.
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
	alone := func() (string, error) {
		err := l.takeOver(ctx, heard, ops)
		if e := (*Error)(nil); errors.As(err, &e) {
			e.Op, e.Path = takeover, path
		}
		return "", err
	}
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
	failed := failedOf(results) - len(first)
	switch e := (*Error)(nil); {
	case err == nil && heard.State == HeartbeatSilent:
		if stat := results[0].Stat; stat == nil || stat.Czxid != heard.Czxid {
			return ErrUnproved
		}
		l.revoked(heard)
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, zk.ErrNoNode) && 0 <= failed && failed < len(ops)-1 && errors.As(err, &e):
		e.Err = fmt.Errorf("%w: %w", ErrOwnGone, e.Err)
	default:
		l.restart(heard, failed < 0 && errors.Is(err, zk.ErrBadVersion))
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

// proof returns what a takeover begins with: an operation that fails if a beat came since, and that
// revokes the heartbeat if nobody has. If the heartbeat is gone, nothing has to be proved: its
// session makes no other.
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

// opening returns what a batch of takeovers begins with. Before the heartbeat is revoked or gone
// there is no batch, because only the answer to the revocation tells whether it was the heartbeat
// that was heard. If the heartbeat is not silent any more, all fail, and their callers decide
// again.
func (src *source) opening() (ops []any, alone bool, err error) {
	src.s.mu.Lock()
	defer src.s.mu.Unlock()
	now := src.heard.now
	if now.State < HeartbeatSilent {
		return nil, false, zk.ErrBadVersion
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
// tells what it is, so that the next takeover is not tried before. If a beat came, the silence
// counts from the start. restart does nothing if something new was heard meanwhile.
func (l *Listener) restart(heard Heartbeat, beaten bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	h := &l.source.heard
	if h.now.State == HeartbeatUnseen || !h.now.same(heard) {
		return
	}
	h.now.State = HeartbeatBeating
	if beaten {
		h.since = l.s.clock.Now()
	}
}
