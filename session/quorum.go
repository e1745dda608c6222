package session

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
)

// QuorumSync asks whether there is a znode at path, by a write that changes nothing: a quorum has agreed
// upon the answer. The question is repeated until it is answered. It needs no permission on the znode.
// After the answer three things are known:
//
//   - Every request that this session made before the call has happened, or never will.
//   - What was acknowledged to anybody before the call is in what the session reads from now on,
//     whichever server it reads from.
//   - The events of all that were sent before the answer.
//
// [Session.Sync] is cheaper, and tells none of this: a server that was the ensemble's leader, and
// does not know yet that it is not, answers a sync from what it has. It cannot commit a write.
func (s *Session) QuorumSync(ctx context.Context, path string) (there bool, err error) {
	_, err = again(ctx, s, func() ([]zk.MultiResponse, error) {
		return s.Multi(ctx, &zk.CheckVersionRequest{Path: path, Version: -1})
	})
	switch {
	case err == nil, errors.Is(err, zk.ErrNoAuth): // a refused check is a transaction, too
		return true, nil
	case errors.Is(err, zk.ErrNoNode):
		return false, nil
	}
	return false, err
}
