package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

func TestWhatNoRetryCanCureIsPermanent(t *testing.T) {
	for _, err := range []error{
		zk.ErrNoAuth, zk.ErrInvalidACL, zk.ErrInvalidPath, zk.ErrNoChildrenForEphemerals, session.ErrAuthFailed, session.ErrTooLarge,
		session.ServerError(-6), session.ServerError(-120), session.ServerError(-124),
	} {
		if !session.Permanent(fmt.Errorf("wrapped: %w", &session.Error{Err: err})) {
			t.Errorf("%v is not permanent", err)
		}
	}
	for _, err := range []error{
		nil, io.EOF, context.DeadlineExceeded, errors.New("unknown"), zk.ErrNoNode, zk.ErrConnectionClosed, zk.ErrSessionExpired, zk.ErrSessionMoved,
		session.ErrExpired, session.ErrRevoked, session.ErrNoHeartbeat, session.ErrClosed,
		fmt.Errorf("%w: %w", session.ErrStray, zk.ErrNoAuth), // about a znode of a session that is over
		session.ServerError(-1), session.ServerError(-4), session.ServerError(-7), session.ServerError(-122), session.ServerError(-125), session.ServerError(-127), session.ServerError(-9999),
	} {
		if session.Permanent(err) {
			t.Errorf("%v is permanent", err)
		}
	}
}
