package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// Why a session is over, or cannot begin. Test with errors.Is.
var (
	// ErrClosed: the client, or this session, was closed by its user.
	ErrClosed = errors.New("session: closed")
	// ErrExpired: a server said that the session has expired. Its ephemeral znodes are
	// gone or will be soon.
	ErrExpired = errors.New("session: expired")
	// ErrPresumedLost: no server was reached for twice the session timeout, so the
	// session is given up for a new one.
	ErrPresumedLost = errors.New("session: presumed lost")
	// ErrReplaced: a server answered the reconnect with another session. That happens
	// when somebody answers who is not this session's ensemble.
	ErrReplaced = errors.New("session: replaced by another session")
	// ErrAuthFailed: the ensemble rejected a credential of [Config.Auth]. Trying again
	// cannot help, so the client is closed.
	ErrAuthFailed = wire.ErrAuthFailed
)

// Outcome tells what became of a request.
type Outcome int

const (
	// Done: it was carried out.
	Done Outcome = iota
	// NotDone: it was not carried out and never will be.
	NotDone
	// Unknown: the answer was lost. It may have been carried out, or may yet be
	// while the session lives.
	Unknown
)

// String returns the outcome in words.
func (o Outcome) String() string { return [...]string{"done", "not done", "unknown"}[o] }

// Error is the error of every request. Unwrap gives the cause: an error of zk
// (errors.Is(err, zk.ErrNoNode) works), a cause of the context, or the reason for
// which the session is over.
type Error struct {
	// Op is what was asked, in ZooKeeper's words: "create", "getData".
	Op string
	// Path is the znode's path as the caller wrote it; empty for Multi.
	Path string
	// Outcome is NotDone or Unknown.
	Outcome Outcome
	// Err is the cause.
	Err error
}

// Error says what failed, on which znode and why.
func (e *Error) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + e.Path
	}
	if e.Outcome == Unknown {
		s += " (outcome unknown)"
	}
	return fmt.Sprintf("session: %s: %v", s, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf tells what became of the request that returned err. It is the one
// place where errors are classified:
//
//	nil                                                 done
//	an answer of the server about the request itself    not done
//	  (no node, exists, version, not empty, ACL, ...)
//	session expired or moved, as an answer              not done
//	rejected before sending (path, flags, size)         not done
//	no server could be reached                          not done
//	connection lost, timed out, session over            unknown
//	codes that zk v1.0.4 has no name for                unknown
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	for _, known := range notDone {
		if errors.Is(err, known) {
			return NotDone
		}
	}
	return Unknown
}

var notDone = []error{
	zk.ErrNoNode, zk.ErrNoAuth, zk.ErrBadVersion, zk.ErrNoChildrenForEphemerals,
	zk.ErrNodeExists, zk.ErrNotEmpty, zk.ErrInvalidACL, zk.ErrInvalidPath,
	zk.ErrInvalidFlags, zk.ErrBadArguments, zk.ErrShortBuffer, zk.ErrAuthFailed,
	zk.ErrReconfigDisabled,
	zk.ErrSessionExpired, zk.ErrSessionMoved,
	zk.ErrNoServer, // zk's flush of what it has not sent
}

// retryable reports whether the same request may succeed later in the same session:
// its connection failed, not the request.
func retryable(err error) bool {
	switch {
	case err == nil, errors.Is(err, zk.ErrSessionExpired):
		return false
	case errors.Is(err, zk.ErrSessionMoved), errors.Is(err, zk.ErrNoServer):
		return true
	}
	return OutcomeOf(err) == Unknown && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
