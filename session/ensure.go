package session

import (
	"context"
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"
)

// EnsurePath creates the persistent znode at path and its parents if they are missing. It needs no
// permission on znodes that exist. If an answer is lost, a znode may be created again after
// somebody has deleted it, as long as the session exists.
func (s *Session) EnsurePath(ctx context.Context, path string, acl []zk.ACL) error {
	return s.EnsureNode(ctx, path, nil, acl)
}

// EnsureNode is [Session.EnsurePath] with data for the last znode. If that exists, it keeps its own
// data.
func (s *Session) EnsureNode(ctx context.Context, path string, data []byte, acl []zk.ACL) error {
	if _, err := s.full(path); err != nil {
		return &Error{Op: "create", Path: path, Outcome: OutcomeNotDone, Err: err}
	}
	for {
		err := s.write(ctx, false, func() error {
			_, err := s.call(ctx, "create", path, s.create(data, zk.FlagPersistent, acl))
			return err
		})
		switch {
		case err == nil, errors.Is(err, zk.ErrNodeExists):
			return nil
		case errors.Is(err, zk.ErrNoAuth):
			// The server checks the permission first and looks for the znode afterwards. Newer
			// servers demand READ on a znode that exists.
			if _, ok, e := s.Exists(ctx, path); ok || errors.Is(e, zk.ErrNoAuth) {
				return nil
			}
			return err
		case !errors.Is(err, zk.ErrNoNode), path == "/" && s.chroot == "":
			return err
		}
		if i := strings.LastIndexByte(path, '/'); i > 0 {
			err = s.EnsurePath(ctx, path[:i], acl)
		} else {
			err = s.ensureChroot(ctx, acl)
		}
		if err != nil {
			return err
		}
	}
}

// ensureChroot creates the chroot itself, which is in no path that a user gives.
func (s *Session) ensureChroot(ctx context.Context, acl []zk.ACL) error {
	for i, r := range s.chroot + "/" {
		if r != '/' || i == 0 {
			continue
		}
		prefix := s.chroot[:i]
		op := s.create(nil, zk.FlagPersistent, acl)
		op.Path = prefix
		err := s.write(ctx, false, func() error {
			_, err := s.sendOne(ctx, "create", prefix, op)
			return err
		})
		// If the client has no permission to create an ancestor of the chroot, that is no error:
		// the ancestor may exist.
		if err != nil && !errors.Is(err, zk.ErrNodeExists) && !(errors.Is(err, zk.ErrNoAuth) && i < len(s.chroot)) {
			return err
		}
	}
	return nil
}
