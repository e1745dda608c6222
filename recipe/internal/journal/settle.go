package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
	"github.com/zkrecipe/zkrecipe/session"
)

// An attempt is one multi, which may be sent more than once.
type attempt struct {
	batch  []*pending
	before State
	data   []byte
	number uint64
	ops    []any
	entry  int // how many of ops write the journal; they come first

	losses      int   // of answers
	lost        bool  // an answer was lost, and the journal may still be at j: a copy may be carried out
	lostEarlier bool  // an answer was lost in an earlier session, which had another journal: a copy may still be carried out there
	cause       error // why the answer was lost
	why         error // why the change is not done, once no copy can be carried out
}

const (
	// largeData are data that a server may find too large, if somebody has set its limit.
	largeData = 8 << 10
	// maxLosses is how many answers to a write with so much data may be lost.
	maxLosses = 3
)

// outcome is what is known of an attempt.
type outcome int

const (
	open    outcome = iota // not known yet: it is to be sent again
	applied                // carried out
	over                   // not carried out so far: j is over, or the znode is not at v, which may come back
	refused                // not carried out so far; nothing is known of the copies of an earlier session
	unknown                // nobody can find out
)

// nearWrap reports whether a version is to begin again. 2147483647 is followed by negative ones,
// and -1 means any version to a server.
func nearWrap(version int32) bool { return version > 1<<30 || version < 0 }

// ErrVersion is the error of every change of a znode with version -1, which means any version to a
// server: a write could not be tied to what was read.
var ErrVersion = errors.New("the znode has version -1, which servers take for any version: set its data once more by hand")

// compose writes an attempt's operations, with the next number.
func (z *Znode) compose(a *attempt, b *book) {
	z.number++
	a.number = z.number
	a.ops = b.entry(z.mark(a.number), z.cfg.ACL)
	a.entry = len(a.ops)
	path, version := z.cfg.Path, a.before.version
	create := &zk.CreateRequest{Path: path, Data: a.data, Acl: z.cfg.ACL}
	switch {
	case !a.before.Exists:
		a.ops = append(a.ops, create)
	case z.renews(a):
		a.ops = append(a.ops, &zk.DeleteRequest{Path: path, Version: version}, create)
	default:
		a.ops = append(a.ops, &zk.SetDataRequest{Path: path, Data: a.data, Version: version})
	}
}

// composeVoid writes operations that write the journal alone. When they are carried out, j is over,
// and no copy of the attempt can be carried out any more.
func (z *Znode) composeVoid(a *attempt, b *book) {
	a.ops = b.entry(z.mark(void), z.cfg.ACL)
	a.entry = len(a.ops)
}

// voids reports whether the operations are a void.
func (a *attempt) voids() bool { return len(a.ops) == a.entry }

// renews reports whether the attempt deletes the znode and creates it again.
func (z *Znode) renews(a *attempt) bool { return nearWrap(a.before.version) && !z.children }

// settle sends an attempt until its outcome is known. nil means that its batch is answered.
func (z *Znode) settle(ctx context.Context, s *session.Session, a *attempt) error {
	if a.before.version == -1 {
		return ErrVersion
	}
	pause := retry.New(z.clock, firstRetry, longestRetry)
	for {
		f, zxid, err := z.send(ctx, s, a)
		switch {
		case f == applied:
			z.writes.Add(1)
			z.conclude(a.batch, zxid)
			return nil
		case (f == over || f == refused && !a.lostEarlier) && a.lost: // not done so far
			a.why = err
			z.composeVoid(a, z.book)
			continue
		case f == over, f == refused && !a.lostEarlier:
			z.withdraw(a.batch)
			return err
		case f != open:
			z.knownAt = never
			z.concludeUnknown(a.batch, err)
			return nil
		}
		if err = pause.Wait(ctx); err == nil {
			s, err = z.follow(ctx, s, a)
		}
		if err != nil && (a.lost || a.lostEarlier) {
			z.concludeUnknown(a.batch, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// follow returns the session in which an attempt is to be sent next. If that has another journal,
// the attempt gets operations for it. If there is no session or no journal now, follow returns the
// present session, in which nothing is sent any more. It returns an error if there can never be a
// journal.
func (z *Znode) follow(ctx context.Context, s *session.Session, a *attempt) (*session.Session, error) {
	if s.Err() == nil {
		return s, nil
	}
	next, err := z.client.Session(ctx)
	if err != nil {
		return s, nil
	}
	b, err := z.open(ctx, next)
	switch {
	case session.Permanent(err):
		return nil, err
	case err != nil:
		return s, nil
	}
	if b.session != nil {
		a.lostEarlier, a.lost = a.lostEarlier || a.lost, false
		z.compose(a, b)
	}
	return next, nil
}

// send sends an attempt once, and tells its outcome by the answer. The error is the reason for the
// outcome.
func (z *Znode) send(ctx context.Context, s *session.Session, a *attempt) (outcome, int64, error) {
	began := z.clock.Now()
	results, err := s.Multi(ctx, a.ops...)
	z.knownAt = never
	if err == nil {
		zxid := results[a.entry-1].Stat.Mzxid
		z.book.version = results[a.entry-1].Stat.Version
		if a.voids() {
			return a.excluded()
		}
		z.known = State{Exists: true, Data: a.data, Zxid: zxid, czxid: zxid}
		if stat := results[len(results)-1].Stat; stat != nil {
			z.known = stateOf(a.data, *stat)
		}
		z.knownAt = began
		z.contention.wrote(z.clock.Now().Sub(began))
		return applied, zxid, nil
	}
	at := 0
	for at < len(results) && results[at].Error == nil {
		at++
	}
	switch stale := isStale(err); {
	case session.OutcomeOf(err) == session.OutcomeUnknown:
		a.lost, a.cause = true, err
		z.lost.Add(1)
		if a.losses++; a.losses > maxLosses && len(a.data) >= largeData && !a.voids() && s.Err() == nil {
			return refused, 0, &largeError{len(a.data), err}
		}
		return open, 0, err
	case at < a.entry && stale:
		return z.consult(ctx, s, z.book, a)
	case at < len(results) && stale:
		f, err := z.overtaken(ctx, s, a, at, err)
		return f, 0, err
	case !session.Permanent(err):
		return open, 0, err // the servers' fault, not the request's
	case a.lost && at < a.entry: // it would be refused like this after it was carried out, too
		return unknown, 0, err
	}
	return refused, 0, err
}

// A largeError is the error of a large write that was given up, because its answer was lost again
// and again. Perhaps the server takes only small requests. Each time, all who use the session lose
// the connection. It is reported only when no copy can be carried out any more.
type largeError struct {
	bytes int
	err   error
}

func (e *largeError) Error() string {
	return fmt.Sprintf("a write of %d bytes was not answered %d times: %v", e.bytes, maxLosses+1, e.err)
}

func (e *largeError) Unwrap() error { return e.err }

// isStale reports whether something was not as the attempt expected it.
func isStale(err error) bool {
	return errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) ||
		errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNotEmpty)
}

// overtaken tells the outcome of an attempt for which the znode was not as expected: err is about
// the operation at. The journal was as expected, so no attempt that writes it was carried out so
// far.
func (z *Znode) overtaken(ctx context.Context, s *session.Session, a *attempt, at int, err error) (outcome, error) {
	_, creates := a.ops[at].(*zk.CreateRequest)
	switch {
	case errors.Is(err, zk.ErrNotEmpty):
		z.children = true
		return refused, err
	case creates && errors.Is(err, zk.ErrNoNode):
		if err := s.EnsurePath(ctx, parent(z.cfg.Path), z.cfg.ACL); err != nil && session.Permanent(err) {
			return refused, err
		}
		return open, err // with the parent it may still be carried out
	case !a.lostEarlier:
		z.conflicts.Add(1)
		return over, errConflict
	}
	data, stat, err := s.Get(ctx, z.cfg.Path)
	switch {
	case err != nil && !errors.Is(err, zk.ErrNoNode):
		return open, err
	case err == nil && a.before.Exists && stat.Czxid == a.before.czxid && stat.Version == a.before.version+1 && !bytes.Equal(data, a.data):
		z.conflicts.Add(1)
		return over, errConflict // the next version is another's
	}
	return unknown, a.cause
}

// parent returns the path of a znode's parent.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
