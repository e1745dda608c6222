package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// call makes one request about the znode at path.
func (s *Session) call(ctx context.Context, name, path string, op wire.Op) (wire.Result, error) {
	full, err := s.full(path)
	if err != nil {
		return wire.Result{}, &Error{Op: name, Path: path, Outcome: OutcomeNotDone, Err: err}
	}
	op.Path = full
	return s.sendOne(ctx, name, path, op)
}

// sendOne makes a request of one operation, whose path has the chroot before it.
func (s *Session) sendOne(ctx context.Context, name, path string, op wire.Op) (wire.Result, error) {
	results, err := s.sendOn(ctx, nil, s.ask, name, path, &wire.Request{Ops: []wire.Op{op}})
	if err != nil {
		return wire.Result{}, err
	}
	return results[0], nil
}

// asker is the type of Session.ask.
type asker func(conn *wire.Conn, r *wire.Request, then func([]wire.Result, error))

// sendOn makes one request on a connection; nil is the present one. name and path are for its
// error. If ctx or the session ends before there is an answer, it returns at once. The request then
// keeps its slot until it is answered or lost.
func (s *Session) sendOn(ctx context.Context, conn *wire.Conn, ask asker, name, path string, r *wire.Request) ([]wire.Result, error) {
	fail := func(outcome Outcome, err error) error {
		return &Error{Op: name, Path: path, Outcome: outcome, Err: err}
	}
	present, err := s.admit(ctx)
	if err != nil {
		return nil, fail(OutcomeNotDone, err)
	}
	if err := s.check(r.Ops); err != nil {
		<-s.slots
		return nil, fail(OutcomeNotDone, err)
	}
	type answer struct {
		results []wire.Result
		err     error
	}
	answered := make(chan answer, 1)
	ask(cmp.Or(conn, present), r, func(results []wire.Result, err error) {
		<-s.slots
		answered <- answer{results, err}
	})
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		err = endOf(ctx)
	case <-s.ctx.Done():
		err = endOf(s.ctx)
	}
	if err != nil {
		select {
		case a = <-answered: // perhaps this answer has ended the session
		default:
			return nil, fail(OutcomeUnknown, err)
		}
	}
	if a.err != nil {
		return a.results, fail(OutcomeOf(a.err), a.err)
	}
	return a.results, nil
}

// ask sends a request on a connection, and calls then once, with the answer or with an error. then
// must not block: it may run in the goroutine that reads all answers. The caller has reserved room
// for ephemeral znodes. The answer releases it.
func (s *Session) ask(conn *wire.Conn, r *wire.Request, then func([]wire.Result, error)) {
	r.Answered = func(a wire.Answer) {
		s.learn(r, a)
		err := s.errorOf(a)
		then(a.Results, err) // first: it tells what has become of the request, also if that ends the session
		s.observe(err)
	}
	if !conn.Send(r, s.start) {
		s.mu.Lock()
		s.ephemerals.reserved -= ephemeralBytes(r.Ops)
		s.mu.Unlock()
		then(nil, s.explained(zk.ErrNoServer))
	}
}

// start runs f in a goroutine that the shutdown waits for. If the session is over, it does not run
// f.
func (s *Session) start(f func()) {
	if s.begin(s.ctx) != nil {
		return
	}
	go func() {
		defer s.calls.Done()
		f()
	}()
}

// errorOf returns the error of an answer. The error of a multi is that of the first operation that
// failed.
func (s *Session) errorOf(a wire.Answer) error {
	if a.Lost {
		return s.explained(zk.ErrConnectionClosed)
	}
	if a.Code != 0 {
		return codeError(a.Code)
	}
	for _, r := range a.Results {
		if r.Code != 0 {
			return codeError(r.Code)
		}
	}
	return nil
}

// explained adds to an error the reason for which the latest connection has ended.
func (s *Session) explained(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lostBy == nil {
		return err
	}
	return fmt.Errorf("%w (%v)", err, s.lostBy)
}

// awaitUp waits for a connection. While there is none, no request is queued: the callers wait, and
// can give up.
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

// admit waits for a connection and for a slot. It returns the connection. The caller releases the
// slot.
func (s *Session) admit(ctx context.Context) (*wire.Conn, error) {
	if err := s.awaitUp(ctx); err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, endOf(ctx)
	case <-s.ctx.Done():
		return nil, endOf(s.ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		<-s.slots
		return nil, endOf(ctx)
	case s.over:
		<-s.slots
		return nil, endOf(s.ctx)
	}
	return s.conn, nil
}

// begin makes shutdown wait for what the caller does, perhaps in another goroutine. The caller
// calls s.calls.Done at the end.
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

// observe ends the session if an answer says that it has expired, and gives up the connection if an
// answer says that the session has moved.
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

// repeat makes a request again and again until it is answered. It is for requests that do no harm
// when they are carried out twice.
func (s *Session) repeat(ctx context.Context, name, path string, op wire.Op) (wire.Result, error) {
	return again(ctx, s, func() (wire.Result, error) { return s.call(ctx, name, path, op) })
}

// write makes a write again and again until it is answered. lost says that an earlier attempt was
// not answered. If the answer is a refusal then, the outcome is unknown, because an earlier attempt
// may have been carried out, or may be carried out later.
func (s *Session) write(ctx context.Context, lost bool, attempt func() error) error {
	_, err := again(ctx, s, func() (struct{}, error) {
		err := attempt()
		lost = lost || OutcomeOf(err) == OutcomeUnknown
		return struct{}{}, err
	})
	var e *Error
	if lost && errors.As(err, &e) {
		e.Outcome = OutcomeUnknown
	}
	return err
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

// rest waits before the next attempt. If the session ends meanwhile, rest returns at once, and the
// next attempt fails with the reason.
func (s *Session) rest(ctx context.Context, pause *retry.Backoff) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	_ = pause.Wait(waiting)
	return context.Cause(ctx)
}

// Get returns a znode's data and Stat.
func (s *Session) Get(ctx context.Context, path string) ([]byte, zk.Stat, error) {
	r, err := s.repeat(ctx, "getData", path, wire.Op{Kind: wire.OpGetData})
	return r.Data, r.Stat, err
}

// Children returns the names of a znode's children, in no particular order.
func (s *Session) Children(ctx context.Context, path string) ([]string, zk.Stat, error) {
	r, err := s.repeat(ctx, "getChildren", path, wire.Op{Kind: wire.OpGetChildren2})
	return r.Children, r.Stat, err
}

// Exists returns a znode's Stat; ok is false when there is no such znode. It leaves no watch. It
// needs READ on servers from 3.7.3, 3.8.4 and 3.9.2 on, and no permission on older ones.
func (s *Session) Exists(ctx context.Context, path string) (stat zk.Stat, ok bool, err error) {
	r, err := s.repeat(ctx, "exists", path, wire.Op{Kind: wire.OpExists})
	if errors.Is(err, zk.ErrNoNode) {
		return zk.Stat{}, false, nil
	}
	return r.Stat, err == nil, err
}

// Sync waits until the server has caught up with the ensemble's leader as of now. If the leader has
// been deposed and does not know that yet, its state is old. The leader itself does not wait: it
// may apply a write a moment after a follower has acknowledged it. See [Session.QuorumSync].
func (s *Session) Sync(ctx context.Context, path string) error {
	_, err := s.repeat(ctx, "sync", path, wire.Op{Kind: wire.OpSync})
	return err
}

// Set replaces a znode's data if its version is the given one. The version -1 stands for any
// version.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) (zk.Stat, error) {
	r, err := s.call(ctx, "setData", path, wire.Op{Kind: wire.OpSetData, Data: data, Version: version})
	return r.Stat, err
}

// Create makes a znode; flags are zk's (zk.FlagEphemeral, ...) and a nil acl means the configured
// one. It returns the path, which has a number at its end if flags ask for a sequential one. If the
// answer is lost, the outcome is unknown. [Session.CreateProtected] finds out by itself whether its
// create has happened.
func (s *Session) Create(ctx context.Context, path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	if flags < zk.FlagPersistent || flags > zk.FlagEphemeralSequential {
		err := fmt.Errorf("%w: %d; want zk.FlagPersistent, zk.FlagEphemeral, zk.FlagSequence or zk.FlagEphemeralSequential", zk.ErrInvalidFlags, flags)
		return "", &Error{Op: "create", Path: path, Outcome: OutcomeNotDone, Err: err}
	}
	r, err := s.call(ctx, "create", path, s.create(data, flags, acl))
	return strings.TrimPrefix(r.Path, s.chroot), err
}

func (s *Session) create(data []byte, flags int32, acl []zk.ACL) wire.Op {
	if acl == nil {
		acl = s.cfg.ACL
	}
	return wire.Op{Kind: wire.OpCreate, Data: data, Flags: flags, ACL: acl}
}

// Delete deletes a znode if its version is the given one. The version -1 stands for any version.
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	_, err := s.call(ctx, "delete", path, wire.Op{Kind: wire.OpDelete, Version: version})
	return err
}

// Multi carries out all of the operations or none. They are zk's: *zk.CreateRequest,
// *zk.SetDataRequest, *zk.DeleteRequest and *zk.CheckVersionRequest. The error is that of the first
// operation that failed; each operation has a result of its own.
func (s *Session) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	return s.multi(ctx, s.ask, ops)
}

func (s *Session) multi(ctx context.Context, ask asker, ops []any) ([]zk.MultiResponse, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	rooted, err := s.rooted(ops)
	if err != nil {
		return nil, &Error{Op: "multi", Outcome: OutcomeNotDone, Err: err}
	}
	answers, err := s.sendOn(ctx, nil, ask, "multi", "", &wire.Request{Ops: rooted, Multi: true})
	var e *Error
	if errors.As(err, &e) {
		e.Err = s.refused(rooted, answers, e.Err)
	}
	results := make([]zk.MultiResponse, 0, len(answers))
	for i, a := range answers {
		r := zk.MultiResponse{String: strings.TrimPrefix(a.Path, s.chroot), Error: codeError(a.Code)}
		if rooted[i].Kind == wire.OpSetData && a.Code == 0 {
			r.Stat = &a.Stat
		}
		results = append(results, r)
	}
	return results, err
}
