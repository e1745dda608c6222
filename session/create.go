package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/retry"
)

// protectedPrefix begins the names of protected znodes, as in Apache Curator.
const protectedPrefix = "_c_"

// CreateProtected creates an ephemeral sequential znode in dir that cannot get lost: its
// name, _c_<GUID>-<name><sequence>, tells it from all others, so that after a lost
// answer it is found again instead of being left behind. Only a znode that belongs to
// this session counts as found. A missing dir is created, with its parents; a nil acl
// means the configured one.
//
// If ctx ends first there is an error and no znode: if the create has happened, or still
// happens, the znode is deleted in the background. If deleting is refused, the session is ended.
func (s *Session) CreateProtected(ctx context.Context, dir, name string, data []byte, acl []zk.ACL) (string, error) {
	return s.createGuarded(ctx, &protected{dir: dir, name: name, data: data, acl: acl, version: 4})
}

// CreatePlace is [Session.CreateProtected] for a znode that a [Hold] is to keep. The session's
// heartbeat exists before it: its first place and its heartbeat are created in one multi. Its
// name has a UUID of version 8, by which others know that it has a heartbeat. A missing dir is
// an error, zk.ErrNoNode; the directory of the heartbeats is created.
func (s *Session) CreatePlace(ctx context.Context, dir, name string, data []byte, acl []zk.ACL) (string, error) {
	return s.createGuarded(ctx, &protected{dir: dir, name: name, data: data, acl: acl, version: 8})
}

// protected is what a protected create has to make.
type protected struct {
	dir, name string
	data      []byte
	acl       []zk.ACL
	version   byte // of the UUID in its name

	failed atomic.Pointer[error] // why the latest attempt failed
}

const (
	// largeData are data that a server may find too large, if somebody has set its limit.
	largeData = 8 << 10
	// maxLost is how many connections an attempt to create a znode with so much may cost.
	maxLost = 2
)

// place reports whether it is a place, with a heartbeat.
func (p *protected) place() bool { return p.version == 8 }

// fail is the error of a create that has not happened because of cause. It says what the attempts
// failed of until then.
func (p *protected) fail(cause error) error {
	if failed := p.failed.Load(); failed != nil {
		cause = fmt.Errorf("%w (%v)", cause, *failed)
	}
	return &Error{Op: "create", Path: p.dir, Outcome: OutcomeNotDone, Err: cause}
}

func (s *Session) createGuarded(ctx context.Context, p *protected) (string, error) {
	type result struct {
		path string
		err  error
	}
	if err := s.begin(ctx); err != nil {
		return "", p.fail(err)
	}
	// The receiver takes the result, or it has gone and the znode goes too; never both.
	handOver := make(chan result)
	go func() {
		defer s.calls.Done()
		path, err := s.createProtected(ctx, p)
		select {
		case handOver <- result{path, err}:
		case <-ctx.Done():
			if err == nil {
				s.removeOrEnd(path)
			}
		case <-s.ctx.Done():
		}
	}()
	select {
	case r := <-handOver:
		return r.path, r.err
	case <-ctx.Done():
		return "", p.fail(context.Cause(ctx))
	case <-s.ctx.Done():
		return "", p.fail(context.Cause(s.ctx))
	}
}

// createProtected tries until an attempt's outcome is known. It heeds ctx between
// attempts only: an attempt once made is followed up to its end.
func (s *Session) createProtected(ctx context.Context, p *protected) (string, error) {
	if err := CheckPath(p.dir); err != nil { // or the search after a lost answer would fail
		return "", p.fail(fmt.Errorf("%w: %w", zk.ErrInvalidPath, err))
	}
	if strings.Contains(p.name, "/") { // whose parent would be created and missed for ever
		return "", p.fail(fmt.Errorf("%w: name %q has a slash", zk.ErrInvalidPath, p.name))
	}
	pause := retry.New(s.clock, firstRetry, longestRetry)
	together, lost := true, 0
	for {
		if err := s.awaitUp(ctx); err != nil {
			return "", p.fail(err)
		}
		// A new GUID for every attempt: an old one that is still carried out cannot touch this.
		prefix := protectedPrefix + newGUID(p.version) + "-" + p.name
		path, err := s.attempt(ctx, p, join(p.dir, prefix), together)
		if err == nil {
			return path, nil
		}
		again := retryable(err) || err == errAgain
		if errors.Is(err, zk.ErrConnectionClosed) && len(p.data) >= largeData {
			lost++
		}
		if OutcomeOf(err) == OutcomeUnknown && err != errAgain {
			if path, lost := s.findOwn(p.dir, prefix); lost != nil || path != "" {
				return path, lost
			}
			// A server that takes small requests only never answers a large one, and each
			// attempt costs all who use this session the connection.
			again = (again || together) && lost < maxLost
			together = false
		}
		switch {
		case errors.Is(err, zk.ErrNoNode) && !p.place():
			if err := s.EnsurePath(ctx, p.dir, p.acl); err != nil {
				return "", err
			}
		case !again:
			return "", err
		}
		if err == errAgain {
			continue
		}
		p.failed.Store(&err)
		if cause := pause.Wait(ctx); cause != nil {
			return "", p.fail(cause)
		}
	}
}

// attempt is one create of a protected znode. The first place of a session is created together
// with the session's heartbeat, others in a batch where there are many.
func (s *Session) attempt(ctx context.Context, p *protected, path string, together bool) (string, error) {
	const flags = zk.FlagEphemeral | zk.FlagSequence
	if p.place() {
		first, done, err := s.awaitBirth(ctx)
		if err != nil {
			return "", &Error{Op: "create", Path: p.dir, Outcome: OutcomeNotDone, Err: err}
		}
		if first {
			defer done()
			if len(p.data) < largeData {
				return s.createFirst(&zk.CreateRequest{Path: path, Data: p.data, Flags: flags, Acl: p.acl})
			}
			if _, err := s.createFirst(); err != nil {
				return "", err
			}
		}
		if s.maybeRevoked() {
			_ = s.readHeartbeat() // should it be revoked, the session is over, and the create fails
		}
	}
	if together {
		return s.createSoon(path, p.data, flags, p.acl)
	}
	return s.createAlone(path, p.data, flags, p.acl)
}

// createSoon is Create, alone or in a batch. Its error tells the outcome of this create in both
// cases.
func (s *Session) createSoon(path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	p := newCreate(path, data, flags, acl)
	queued, first := s.enqueue(&s.creations, p)
	if first {
		defer s.sendQueue(&s.creations)
	}
	if queued {
		// This wait ends: the sender of the batch answers also when the session is over.
		switch a := <-p.done; a.err {
		case nil:
			return a.path, nil
		case errAlone:
		default:
			return "", &Error{Op: "create", Path: path, Outcome: OutcomeUnknown, Err: errors.Unwrap(a.err)}
		}
	}
	return s.createAlone(path, data, flags, acl)
}

func (s *Session) createAlone(path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	return s.Create(s.ctx, path, data, flags, acl)
}

// findOwn looks for the znode of an attempt whose answer was lost. By the time that a
// sync is answered on a new connection the attempt has happened or never will: the
// ensemble refuses requests that reach it through a server which the session has left.
func (s *Session) findOwn(dir, prefix string) (path string, err error) {
	defer func() {
		if err != nil && s.ctx.Err() == nil { // refused: not even the session's end would be noticed
			s.mu.Lock()
			s.finish(fmt.Errorf("%w in %s: %w", ErrStray, dir, err))
			s.mu.Unlock()
		}
	}()
	if err := s.Sync(s.ctx, dir); err != nil {
		return "", err
	}
	names, _, err := s.Children(s.ctx, dir)
	if errors.Is(err, zk.ErrNoNode) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		path := join(dir, name)
		stat, ok, err := s.Exists(s.ctx, path)
		if err != nil {
			return "", err
		}
		if ok && stat.EphemeralOwner == s.ID() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ephemerals.add(s.chroot + path)
			return path, nil
		}
	}
	return "", nil
}

// join returns the path of a child.
func join(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

// newGUID returns a random UUID (RFC 9562), of version 4, or of version 8, which is for uses
// of one's own: here it tells a place, whose session has a heartbeat.
func newGUID(version byte) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
