package session

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
)

// QuorumSync asks whether there is a znode at path. It asks with a write that changes nothing, so a
// quorum has agreed on the answer. It repeats the request until it is answered. It needs no
// permission on the znode. After the answer two things are known:
//
//   - From now on the session's reads show every write that was acknowledged to any session before
//     the call. This is true for reads from any server.
//   - The server has sent the events of all these writes before the answer.
//
// It does not tell what becomes of a request of this session whose answer was lost: that may still
// be carried out, see [Session.Fence].
//
// [Session.Sync] is cheaper, and tells none of this. A server that was the ensemble's leader, and
// does not know yet that it has been deposed, answers a sync from its old state. But it cannot
// commit a write. And a leader answers its own clients' syncs at once, although it may not have
// applied yet what a follower has acknowledged.
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
