package session

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/notify"
)

// A request whose answer was lost may be carried out after later requests of the same session. For
// that it is not enough that the session has moved to another server, because the session may move
// back without the client knowing it:
//
//   - A server stands still. It has read the request, or has it in a socket.
//   - The session moves on and writes through another server. It also tries the first server, but
//     gives that handshake up.
//   - When the first server goes on, it handles the handshake. Now the ensemble's leader takes the
//     session's requests from there, and the old request is among them.
//
// So each create of a place checks the session's heartbeat, at the version that the heartbeat has
// by then. Each beat adds one to the version. When a beat has been committed after such a create
// was sent, the create has happened or never will.

// FencedMulti is [Session.Multi] for a write that must not happen late. It is not carried out after
// a later [Session.Fence]: each such multi also checks the session's heartbeat at the version that
// it has by then, and a Fence ends that version. Without a fence, a request whose answer was lost
// may be carried out after later requests of the session. The heartbeat has to exist: see
// [Session.EnsureHeartbeat]. FencedMulti reads it if its version is not known. The check needs READ
// on the heartbeat. If it is refused because the version has changed, FencedMulti tries again.
func (s *Session) FencedMulti(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	for {
		guard, err := s.guard()
		if err != nil {
			return nil, err
		}
		results, err := s.Multi(ctx, append([]any{guard}, ops...)...)
		switch {
		case len(results) == 0:
			return nil, err
		case failedOf(results) > 0:
			return results[1:], err
		}
		if err := s.guardRefused(err); err != errAgain || ctx.Err() != nil {
			return nil, err
		}
	}
}

// guard returns a check of the heartbeat for a multi that is sent at once. If the version is not
// known, it is read first.
func (s *Session) guard() (check *zk.CheckVersionRequest, err error) {
	for {
		s.mu.Lock()
		if h := &s.heart; !h.unsure {
			h.guard(h.next)
			check = &zk.CheckVersionRequest{Path: h.path, Version: h.next}
		}
		s.mu.Unlock()
		if check != nil {
			return check, nil
		}
		if err := s.readHeartbeat(); err != nil {
			return nil, unguarded(err)
		}
	}
}

// guardRefused is called when a guard was refused. It returns errAgain if another attempt may help.
// A beat may have been sent since, or before it and in vain. Or somebody else has set the
// heartbeat: then the session is over if another has taken over from it.
func (s *Session) guardRefused(err error) error {
	if errors.Is(err, zk.ErrNoAuth) {
		return unguarded(s.noPermission("check (READ)", err))
	}
	if err := s.readHeartbeat(); err != nil {
		return unguarded(err)
	}
	return errAgain
}

// unguarded is the error of a multi that was not carried out because of its guard.
func unguarded(err error) error { return &Error{Op: "multi", Outcome: OutcomeNotDone, Err: err} }

// openCreates returns what a batch of creates begins with.
func (s *Session) openCreates() (ops []any, alone bool, err error) {
	guard, err := s.guard()
	return []any{guard}, false, err
}

// createFenced makes znodes, all or none.
func (s *Session) createFenced(ops []any) (paths []string, err error) {
	results, err := s.FencedMulti(s.ctx, ops...)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		paths = append(paths, r.String)
	}
	return paths, nil
}

// Fence waits until each [Session.FencedMulti] that was sent before, and each create of a place,
// has happened or never will. For that, the session makes a beat, also if it holds no place. After
// it, the session's reads show which of them have happened, because the beat is a write. Fence
// returns an error if ctx or the session ends first, or if the session may not use its own
// heartbeat. The heartbeat has to exist.
func (s *Session) Fence(ctx context.Context) error {
	answered := make(chan struct{}, 1)
	s.mu.Lock()
	h := &s.heart
	guarded := h.guarded
	h.refused = nil
	s.fences[answered] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.fences, answered)
	}()
	for {
		s.mu.Lock()
		passed, refused := h.version-guarded > 0, h.refused
		s.beatSoon = s.beatSoon || !passed && !s.beating
		s.mu.Unlock()
		if passed || refused != nil {
			return refused
		}
		notify.Signal(s.wake)
		select {
		case <-answered:
		case <-ctx.Done():
			return endOf(ctx)
		case <-s.ctx.Done():
			return endOf(s.ctx)
		}
	}
}
