package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/notify"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A request whose answer was lost may be carried out after later requests of the same session:
//
//   - A server has read the request and holds it up: the thread that takes requests stands still.
//   - The session moves on and writes through another server.
//   - The first server handles a handshake of the session. It may be one that the client has given
//     up. From now on the ensemble's leader takes the session's requests from there.
//   - The thread goes on, and the old request is among them.
//
// The thread also outlives a change of the ensemble's leader. Then it forwards the request to the
// next leader, after what the session has written meanwhile, even at the same server. Tests show
// all this on real servers, 3.8.0 and 3.9.5; a handshake that was given up was seen to do it once.
//
// So each create of a place expects the heartbeat at one version: the one that it has when all
// beats that were sent before have been carried out. Each beat adds one to the version. When a beat
// that was sent after the create has been committed, the create has happened or never will.

// FencedMulti is [Session.Multi] for a write that must not happen late. When it has returned, a
// call of [Session.Fence] makes certain that the write is not carried out afterwards. For that, the
// multi also checks the version of the session's heartbeat, and Fence waits for a beat, which
// changes that version. Without a fence, a request whose answer was lost may be carried out after
// later requests of the session.
//
// The heartbeat has to exist: see [Session.EnsureHeartbeat]. FencedMulti reads it if its version is
// not known, which needs READ on it, and so does the check. If a beat has changed the version too
// early, FencedMulti makes another attempt.
func (s *Session) FencedMulti(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	return s.fencedMulti(ctx, ctx, ops)
}

// fencedMulti is FencedMulti that begins no attempt when wanted has ended. It waits for the answer
// to an attempt until ctx ends.
func (s *Session) fencedMulti(ctx, wanted context.Context, ops []any) ([]zk.MultiResponse, error) {
	s.mu.Lock()
	guard := &zk.CheckVersionRequest{Path: s.heart.path} // askFenced adds the version
	known, exists := !s.heart.unsure, s.heart.exists
	s.mu.Unlock()
	if !exists {
		return nil, unfenced(errUnfenced)
	}
	for attempt := 1; ; attempt++ {
		if !known || attempt > 1 {
			if err := s.learnVersion(wanted); err != nil {
				return nil, unfenced(err)
			}
		}
		results, err := s.multi(ctx, s.askFenced, append([]any{guard}, ops...))
		switch {
		case len(results) == 0:
			return nil, err
		case failedOf(results) > 0:
			return results[1:], err
		case errors.Is(err, zk.ErrNoAuth):
			return nil, unfenced(s.noPermission("read (READ)", zk.ErrNoAuth))
		case !errors.Is(err, zk.ErrBadVersion) && !errors.Is(err, zk.ErrNoNode):
			return nil, err
		}
		// The version is another one than expected. Perhaps a beat that was sent before this multi
		// was refused. Or somebody else has set the heartbeat. If that was a takeover, the next
		// read ends the session.
		if attempt == 1 {
			defer s.pauseCreatesInBeats()()
		}
	}
}

// learnVersion reads the heartbeat.
func (s *Session) learnVersion(ctx context.Context) error {
	_, err := again(ctx, s, func() (struct{}, error) {
		if err := s.awaitUp(ctx); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.readHeartbeat(ctx)
	})
	if err == nil && ctx.Err() != nil {
		err = endOf(ctx)
	}
	return err
}

// pauseCreatesInBeats makes beats carry no creates until end is called. A beat that is refused
// because of a create does not change the version. If one such beat followed another, a fenced
// multi would be refused each time, and Fence would never return.
func (s *Session) pauseCreatesInBeats() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noCreates++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.noCreates--
	}
}

var errUnfenced = fmt.Errorf("the session has no heartbeat; call EnsureHeartbeat first: %w", zk.ErrBadArguments)

// askFenced is ask for a multi that begins with a check of the heartbeat, at the version that the
// heartbeat has when the multi is carried out. No beat is sent between the look at that version and
// the multi.
func (s *Session) askFenced(conn *wire.Conn, r *wire.Request, then func([]wire.Result, error)) {
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	r.Ops[0].Version = s.heart.next
	s.heart.guard(s.heart.next)
	s.mu.Unlock()
	s.ask(conn, r, then)
}

// unfenced is the error of a multi that was not carried out because of its guard.
func unfenced(err error) error { return &Error{Op: "multi", Outcome: OutcomeNotDone, Err: err} }

// createFenced makes znodes, all or none. It begins no attempt when ctx has ended.
func (s *Session) createFenced(ctx context.Context, ops []any) (paths []string, err error) {
	results, err := s.fencedMulti(s.ctx, ctx, ops)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		paths = append(paths, r.String)
	}
	return paths, nil
}

// Fence waits until the fate of earlier writes is certain: each attempt of a [Session.FencedMulti],
// and of a create of a place, that was sent before the call has happened or never will. It needs a
// beat that was sent after them. If there was none, it asks for one, even if no place is held. The
// beat is a write, so the session's reads after it show which of them have happened. Fence returns
// an error if ctx or the session ends first, or if the session may not use its own heartbeat. The
// heartbeat has to exist.
func (s *Session) Fence(ctx context.Context) error {
	answered := make(chan struct{}, 1)
	defer s.pauseCreatesInBeats()()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.heart
	guarded := h.guarded
	h.refused = nil
	s.fences[answered] = struct{}{}
	defer delete(s.fences, answered)
	for h.exists && h.refused == nil && h.version-guarded <= 0 {
		s.beatSoon = s.beatSoon || !s.beating
		notify.Signal(s.wake)
		s.mu.Unlock()
		var err error
		select {
		case <-answered:
		case <-ctx.Done():
			err = endOf(ctx)
		case <-s.ctx.Done():
			err = endOf(s.ctx)
		}
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	switch {
	case s.over:
		return endOf(s.ctx)
	case !h.exists:
		return errUnfenced
	}
	return h.refused
}
