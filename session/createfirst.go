package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// createFirst creates the session's heartbeat, and the session's first places, if any are given, in
// the same multi. The heartbeat is created once in a session: if the session cannot find out
// whether it was created, the session is over. Finding out may take long, so lost is called first,
// with the error of the create.
func (s *Session) createFirst(lost func(error), places ...any) (paths []string, err error) {
	s.mu.Lock()
	beat, lease := s.HeartbeatPath(s.id), s.leaseTime
	s.mu.Unlock()
	ops := append([]any{&zk.CreateRequest{Path: beat, Data: []byte(lease.String()), Flags: zk.FlagEphemeral}}, places...)
	results, err := s.Multi(s.ctx, ops...)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heart = heartbeat{path: beat, exists: true, guarded: -1}
		notify.Signal(s.wake)
		for _, r := range results[1:] {
			paths = append(paths, r.String)
		}
		return paths, nil
	}
	if OutcomeOf(err) == OutcomeUnknown {
		lost(err)
		return nil, s.findHeartbeat(beat, err)
	}
	ofHeartbeat := len(results) > 0 && results[0].Error != nil && errors.Is(err, results[0].Error)
	switch {
	case !ofHeartbeat:
	case errors.Is(err, zk.ErrNoNode):
		if err := s.EnsurePath(s.ctx, s.cfg.Beats, nil); err != nil {
			if errors.Is(err, zk.ErrNoAuth) {
				err = fmt.Errorf("asked %s: %w: %s", s.cfg.asWhom(), err, notOurs)
			}
			return nil, &Error{Op: "create", Path: beat, Outcome: OutcomeNotDone, Err: fmt.Errorf("cannot create %s for heartbeats (see Config.Beats): %w", s.cfg.Beats, err)}
		}
		return nil, errAgain
	case errors.Is(err, zk.ErrNoAuth):
		return nil, fmt.Errorf("%w: %s", s.noPermission("create (CREATE)", err), notOurs)
	case errors.Is(err, zk.ErrNodeExists):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(fmt.Errorf("%w: %s exists already", ErrNoHeartbeat, beat))
	}
	return nil, err
}

// EnsureHeartbeat makes sure that the session has its heartbeat, for a place that is not created by
// [Session.CreatePlace]. The directory of the heartbeats is created if it is missing.
func (s *Session) EnsureHeartbeat(ctx context.Context) error {
	p := protected{places: []Place{{Dir: s.cfg.Beats}}} // for the text of its errors
	if err := s.begin(ctx); err != nil {
		return p.fail(err)
	}
	created := make(chan error, 1)
	go func() { // the create goes on when nobody waits for it any more
		defer s.calls.Done()
		_, err := again(ctx, s, func() (struct{}, error) { return struct{}{}, s.heartbeatOnce(ctx, p.lost) })
		created <- err
	}()
	select {
	case err := <-created:
		return err
	case <-ctx.Done():
		return p.fail(endOf(ctx))
	case <-s.ctx.Done():
		return p.fail(endOf(s.ctx))
	}
}

// heartbeatOnce makes one attempt to create the heartbeat where there is none.
func (s *Session) heartbeatOnce(ctx context.Context, lost func(error)) error {
	first, done, err := s.awaitHeartbeat(ctx)
	if err != nil {
		return err
	}
	if !first {
		if s.maybeRevoked() {
			_ = s.readHeartbeat(ctx) // if it is revoked, the session is over
		}
		return nil
	}
	defer done()
	_, err = s.createFirst(lost)
	return err
}

// awaitHeartbeat waits while another goroutine creates the heartbeat. first is true if there is
// none afterwards: then the caller creates it, and calls done when it has.
func (s *Session) awaitHeartbeat(ctx context.Context) (first bool, done func(), err error) {
	select {
	case s.heartLock <- struct{}{}:
	case <-ctx.Done():
		return false, nil, endOf(ctx)
	case <-s.ctx.Done():
		return false, nil, endOf(s.ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heart.exists {
		<-s.heartLock
		return false, nil, nil
	}
	return true, func() { <-s.heartLock }, nil
}

// errAgain says that nothing was created, and that the reason for that has been removed.
var errAgain = errors.New("session: to be tried again")

// findHeartbeat finds out whether a create whose answer was lost has happened. If the heartbeat is
// there, the create has happened. If not, the create may be carried out later. Or it was carried
// out, and somebody has deleted the heartbeat. A second create would be unsafe, so the session is
// over.
func (s *Session) findHeartbeat(beat string, lost error) error {
	var stat zk.Stat
	_, err := s.QuorumSync(s.ctx, beat)
	if err == nil {
		stat, _, err = s.Exists(s.ctx, beat)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && stat.EphemeralOwner == s.id {
		s.heart = heartbeat{path: beat, exists: true, unsure: true, guarded: -1}
		notify.Signal(s.wake)
		return lost // for the places: the same multi creates them
	}
	s.finish(fmt.Errorf("%w: whether %s was created is not known (%v)", ErrNoHeartbeat, beat, lost))
	return endOf(s.ctx)
}
