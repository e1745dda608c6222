package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
)

// The cause of a context may wrap the answer to another request, as with an errgroup. It is the
// cause of the error, but tells nothing about this request.
func TestWhatACauseWrapsIsNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		path, _ := leaving(t, b, "/e")
		for _, other := range []error{
			zk.ErrNoNode, zk.ErrNodeExists, zk.ErrNoAuth, zk.ErrBadVersion, zk.ErrConnectionClosed, session.ErrTooLarge, session.ServerError(-6),
		} {
			why := fmt.Errorf("another: %w", &session.Error{Op: "getData", Path: "/config", Outcome: session.OutcomeNotDone, Err: other})
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(why)
			for call, err := range map[string]error{
				"QuorumSync":      second(b.s.QuorumSync(ctx, path)),
				"EnsureNode":      b.s.EnsureNode(ctx, "/x/y", nil, nil),
				"EnsureHeartbeat": b.s.EnsureHeartbeat(ctx),
				"EnsureDeleted":   b.s.EnsureDeleted(ctx, path),
				"CreateProtected": second(b.s.CreateProtected(ctx, "/x", "n-", nil, nil)),
				"Set":             second(b.s.Set(ctx, path, nil, 0)),
			} {
				var code session.ServerError
				if !errors.Is(err, why) || errors.Is(err, other) || errors.As(err, &code) || session.Permanent(err) || session.OutcomeOf(err) != session.OutcomeNotDone {
					t.Errorf("%s: %v, outcome %v", call, err, session.OutcomeOf(err))
				}
			}
		}
		if _, places := b.told("/e"); places != 1 {
			t.Errorf("%d places, want 1", places)
		}
	})
}

func second[T any](_ T, err error) error { return err }
