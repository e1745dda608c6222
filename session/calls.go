package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
)

// call makes one request about the znode at path. request gets the path with the chroot before it.
func call[T any](ctx context.Context, s *Session, op, path string, request func(full string) (T, error)) (T, error) {
	full, err := s.full(path)
	if err != nil {
		var zero T
		return zero, &Error{Op: op, Path: path, Outcome: OutcomeNotDone, Err: err}
	}
	return send(ctx, s, op, path, func() (T, error) { return request(full) })
}

// send makes one request and returns by the end of ctx or of the session. zk's own calls take no context,
// so the request runs in a goroutine. That goroutine ends with the session at the latest, also when nobody
// waits for it any more.
func send[T any](ctx context.Context, s *Session, op, path string, request func() (T, error)) (T, error) {
	var zero T
	fail := func(outcome Outcome, err error) error {
		return &Error{Op: op, Path: path, Outcome: outcome, Err: err}
	}
	if err := s.admit(ctx); err != nil {
		return zero, fail(OutcomeNotDone, err)
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer s.calls.Done()
		defer func() { <-s.slots }()
		v, err := request()
		done <- result{v, s.explained(named(err))}
	}()
	select {
	case r := <-done:
		s.observe(r.err)
		if r.err != nil {
			return r.v, fail(OutcomeOf(r.err), r.err)
		}
		return r.v, nil
	case <-ctx.Done():
		return zero, fail(OutcomeUnknown, endOf(ctx))
	case <-s.ctx.Done():
		return zero, fail(OutcomeUnknown, endOf(s.ctx))
	}
}

// explained adds the reason to the error of a lost connection.
func (s *Session) explained(err error) error {
	if !errors.Is(err, zk.ErrConnectionClosed) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lostBy == nil {
		return err
	}
	return fmt.Errorf("%w (%v)", err, s.lostBy)
}

// awaitUp waits for a connection. Requests are not queued while there is none: their
// callers wait, and can give up.
func (s *Session) awaitUp(ctx context.Context) error {
	for {
		s.mu.Lock()
		up, connected := s.up, s.state == StateConnected
		s.mu.Unlock()
		if connected {
			return nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return endOf(ctx)
		case <-s.ctx.Done():
			return endOf(s.ctx)
		}
	}
}

// admit waits for a connection and for a slot, and begins the call.
func (s *Session) admit(ctx context.Context) error {
	if err := s.awaitUp(ctx); err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return endOf(ctx)
	case <-s.ctx.Done():
		return endOf(s.ctx)
	}
	if err := s.begin(ctx); err != nil {
		<-s.slots
		return err
	}
	return nil
}

// begin makes shutdown wait for a goroutine of the caller. That goroutine has to call s.calls.Done.
func (s *Session) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return endOf(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over { // shutdown may be waiting already
		return endOf(s.ctx)
	}
	s.calls.Add(1)
	return nil
}

// observe ends the session if an answer says that it has expired, and gives up the connection if an answer
// says that the session has moved.
func (s *Session) observe(err error) {
	switch {
	case errors.Is(err, zk.ErrSessionExpired):
		s.mu.Lock()
		s.finish(ErrExpired)
		s.mu.Unlock()
	case errors.Is(err, zk.ErrSessionMoved):
		s.mu.Lock()
		conn := s.conn
		s.mu.Unlock()
		s.drop(conn, err)
	}
}

// Delays between attempts at the same request.
const (
	firstRetry   = 20 * time.Millisecond
	longestRetry = time.Second
)

// repeat makes a request that does no harm when it is made twice until it is answered.
func repeat[T any](ctx context.Context, s *Session, op, path string, request func(full string) (T, error)) (T, error) {
	return again(ctx, s, func() (T, error) { return call(ctx, s, op, path, request) })
}

func again[T any](ctx context.Context, s *Session, attempt func() (T, error)) (T, error) {
	pause := retry.New(s.clock, firstRetry, longestRetry)
	for {
		v, err := attempt()
		if !retryable(err) || ctx.Err() != nil || s.ctx.Err() != nil {
			return v, err
		}
		if cause := s.rest(ctx, pause); cause != nil {
			return v, err
		}
	}
}

// rest waits before the next attempt. If the session ends meanwhile, rest returns at once, and the next
// attempt fails with the reason.
func (s *Session) rest(ctx context.Context, pause *retry.Backoff) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	_ = pause.Wait(waiting)
	return context.Cause(ctx)
}

type answer[T any] struct {
	v    T
	stat zk.Stat
}

func read[T any](v T, stat *zk.Stat, err error) (answer[T], error) {
	if err != nil || stat == nil {
		return answer[T]{}, err
	}
	return answer[T]{v, *stat}, nil
}

// Get returns a znode's data and Stat.
func (s *Session) Get(ctx context.Context, path string) ([]byte, zk.Stat, error) {
	a, err := repeat(ctx, s, "getData", path, func(full string) (answer[[]byte], error) { return read(s.zk.Get(full)) })
	return a.v, a.stat, err
}

// Children returns the names of a znode's children, in no particular order.
func (s *Session) Children(ctx context.Context, path string) ([]string, zk.Stat, error) {
	a, err := repeat(ctx, s, "getChildren", path, func(full string) (answer[[]string], error) { return read(s.zk.Children(full)) })
	return a.v, a.stat, err
}

// Exists returns a znode's Stat; ok is false when there is no such znode. It needs no
// permission on the znode and leaves no watch.
func (s *Session) Exists(ctx context.Context, path string) (stat zk.Stat, ok bool, err error) {
	a, err := repeat(ctx, s, "exists", path, func(full string) (answer[bool], error) { return read(s.zk.Exists(full)) })
	return a.stat, a.v, err
}

// Sync waits until the server has caught up with the ensemble's leader as of now. It proves nothing about
// requests whose answers were lost. If the leader has been deposed and does not know that yet, its state
// is old. See [Session.QuorumSync].
func (s *Session) Sync(ctx context.Context, path string) error {
	_, err := repeat(ctx, s, "sync", path, s.zk.Sync)
	return err
}

// Set replaces a znode's data if its version is the one given, or -1.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) (zk.Stat, error) {
	stat, err := call(ctx, s, "setData", path, func(full string) (*zk.Stat, error) {
		op := &zk.SetDataRequest{Path: full, Data: data, Version: version}
		if err := checkSize(op); err != nil {
			return nil, err
		}
		return s.zk.Set(full, data, version)
	})
	if stat == nil || err != nil {
		return zk.Stat{}, err
	}
	return *stat, nil
}

// Create makes a znode; flags are zk's (zk.FlagEphemeral, ...) and a nil acl means the configured one. It
// returns the path, which has a number at its end if flags ask for a sequential one.
// [Session.CreateProtected] finds out itself whether a create has happened whose answer was lost.
func (s *Session) Create(ctx context.Context, path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	created, err := call(ctx, s, "create", path, func(full string) (string, error) {
		if err := s.room(&zk.CreateRequest{Path: full, Flags: flags}); err != nil {
			return "", err
		}
		return s.create(full, data, flags, acl)
	})
	return strings.TrimPrefix(created, s.chroot), err
}

func (s *Session) create(full string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	if acl == nil {
		acl = s.cfg.ACL
	}
	if flags < zk.FlagPersistent || flags > zk.FlagEphemeralSequential {
		return "", fmt.Errorf("%w: %d; want zk.FlagPersistent, zk.FlagEphemeral, zk.FlagSequence or zk.FlagEphemeralSequential", zk.ErrInvalidFlags, flags)
	}
	if err := checkSize(&zk.CreateRequest{Path: full, Data: data, Acl: acl}); err != nil {
		return "", err
	}
	return s.zk.Create(full, data, flags, acl)
}

// Delete deletes a znode if its version is the one given, or -1.
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	_, err := call(ctx, s, "delete", path, func(full string) (struct{}, error) {
		return struct{}{}, s.zk.Delete(full, version)
	})
	return err
}

// Multi carries out all of the operations or none. They are zk's: *zk.CreateRequest, *zk.SetDataRequest,
// *zk.DeleteRequest and *zk.CheckVersionRequest. The error is that of the first operation that failed; each
// operation has a result of its own.
func (s *Session) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	ops, err := s.rooted(ops)
	if err == nil {
		err = checkSize(ops...)
	}
	if err == nil {
		err = s.room(ops...)
	}
	if err != nil {
		return nil, &Error{Op: "multi", Outcome: OutcomeNotDone, Err: err}
	}
	results, err := send(ctx, s, "multi", "", func() ([]zk.MultiResponse, error) { return s.zk.Multi(ops...) })
	var e *Error
	if errors.As(err, &e) {
		e.Err = s.refused(ops, results, e.Err)
	}
	for i := range results {
		results[i].String = strings.TrimPrefix(results[i].String, s.chroot)
	}
	return results, err
}
