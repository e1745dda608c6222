// Package quorum asks the ensemble in a way that only a quorum can answer.
package quorum

import (
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/session"
)

// pause is the time before a question is asked again whose answer was lost.
const pause = 50 * time.Millisecond

// Exists reports whether there is a znode at path, by a write that changes nothing. A sync would not
// do: a server that only believes that it leads answers it. All that was acknowledged to anybody
// before the call began was committed before this write. So the session's reads after the answer,
// which never go back in time, show it, or something later. The server also sends the events of all
// that was committed before the write ahead of the answer. It takes READ on the znode.
func Exists(ctx context.Context, s *session.Session, c clock.Clock, path string) (bool, error) {
	for {
		_, err := s.Multi(ctx, &zk.CheckVersionRequest{Path: path, Version: -1})
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, zk.ErrNoNode): // what a quorum has agreed upon, too
			return false, nil
		case ctx.Err() != nil || s.Err() != nil || session.OutcomeOf(err) == session.OutcomeNotDone:
			return false, err
		}
		if cause := clock.Sleep(ctx, c, pause); cause != nil {
			return false, cause
		}
	}
}
